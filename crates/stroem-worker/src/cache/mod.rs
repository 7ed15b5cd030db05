//! Revisions of workspaces on the worker's disk, unpacked once and shared by steps, which copy what they write to. The
//! least recently used ones are removed when all are over the size limit. Other workers of the host may use the same
//! directory: what is in use is locked across processes.
//!
//! ```text
//! <workspace>/<revision>/        the files
//! <workspace>/<revision>.size    their bytes; locked while in use; its time is that of the last use
//! .part-*                        being unpacked or removed
//! ```

mod evict;
mod unpack;

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use http_body_util::BodyExt;
use rustix::fs::{FlockOperation, Timespec, Timestamps, UTIME_NOW};
use stroem_api::{ApiError, ControlPlane, ResponseBody};
use stroem_core::{ByteSize, Revision, WorkspaceName};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::{backoff::Backoff, session::Session, state::dir_name};

/// Pieces of a tarball between the network and the disk.
const PIECES: usize = 8;

/// Why a revision is not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CacheError {
    /// The server does not have it.
    #[error("the server does not give the workspace's files: {0}")]
    Refused(String),
    /// No room on the disk.
    #[error("no room for the workspace in {}: {message}", path.display())]
    Full {
        /// Where.
        path: PathBuf,
        /// The system's words.
        message: String,
    },
    /// The disk or the tarball.
    #[error("the workspace cannot be unpacked in {}: {message}", path.display())]
    Unpack {
        /// Where.
        path: PathBuf,
        /// What went wrong.
        message: String,
    },
    /// The connection broke; to be tried again.
    #[error("{0}")]
    Connection(String),
}

/// A revision in use; it is not removed as long as this lives.
#[derive(Debug)]
pub(crate) struct InUse {
    path: PathBuf,
    _lock: File,
}

impl InUse {
    /// Its files.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

type Key = (WorkspaceName, Revision);
type Slot = Arc<tokio::sync::Mutex<Weak<InUse>>>;

/// The cache.
pub(crate) struct Cache {
    root: PathBuf,
    limit: ByteSize,
    tasks: TaskTracker,
    slots: Mutex<HashMap<Key, Slot>>,
}

impl Cache {
    /// In a directory, which is made.
    pub(crate) fn open(root: &Path, limit: ByteSize, tasks: TaskTracker) -> io::Result<Self> {
        crate::state::private_dir(root)?;
        let root = fs::canonicalize(root)?;
        evict::remove_leftovers(&root);
        Ok(Self { root, limit, tasks, slots: Mutex::default() })
    }

    /// A revision's files, downloaded when they are not there. Steps that want the same one at once share a download;
    /// when the one that downloads is cancelled, the next one goes on.
    pub(crate) async fn get(
        &self,
        control: &ControlPlane,
        session: &Session,
        workspace: &WorkspaceName,
        revision: &Revision,
    ) -> Result<Arc<InUse>, CacheError> {
        let key = (workspace.clone(), revision.clone());
        let slot = Arc::clone(
            self.slots.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()).or_default(),
        );
        let mut known = slot.lock().await;
        if let Some(in_use) = known.upgrade() {
            return Ok(in_use);
        }
        let place = Place::new(&self.root, workspace, revision);
        let mut backoff = Backoff::new();
        let in_use = loop {
            if let Some(in_use) = place.take().map_err(|error| place.failed(&error))? {
                break Arc::new(in_use);
            }
            match self.download(control, session, workspace, revision, &place).await {
                Ok(()) => {}
                Err(CacheError::Connection(message)) => {
                    tracing::debug!(workspace = %workspace, %message, "the download of a workspace broke; trying again");
                    backoff.wait().await;
                }
                Err(error) => return Err(error),
            }
        };
        *known = Arc::downgrade(&in_use);
        drop(known);
        self.forget_unused(&key);
        Ok(in_use)
    }

    /// Removes revisions that nobody uses, the least recently used first, until so many bytes are free or none is left.
    pub(crate) async fn free(&self, bytes: u64) {
        let root = self.root.clone();
        let freed = self.tasks.spawn_blocking(move || evict::free(&root, bytes)).await;
        if let Err(error) = freed {
            tracing::warn!(%error, "the workspace cache could not be made smaller");
        }
    }

    /// Slots of revisions that nobody uses would pile up.
    fn forget_unused(&self, but: &Key) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() > 64 {
            slots.retain(|key, slot| {
                key == but
                    || Arc::strong_count(slot) > 1
                    || slot.try_lock().map_or(true, |weak| weak.strong_count() > 0)
            });
        }
    }

    async fn download(
        &self,
        control: &ControlPlane,
        session: &Session,
        workspace: &WorkspaceName,
        revision: &Revision,
        place: &Place,
    ) -> Result<(), CacheError> {
        let current = session.current();
        let body = match control.workspace(&current.token, workspace, revision).await {
            Ok(body) => body,
            Err(error) if session.renewed(&error, &current).await => {
                return Err(CacheError::Connection(error.to_string()));
            }
            Err(ApiError::Refused { status, body }) if status < 500 => {
                return Err(CacheError::Refused(body.error));
            }
            Err(error) => return Err(CacheError::Connection(error.to_string())),
        };
        let (sender, receiver) = mpsc::channel(PIECES);
        let (root, target, limit) = (self.root.clone(), place.clone(), self.limit);
        let unpacked = self.tasks.spawn_blocking(move || {
            let done = unpack::unpack(&root, &target, receiver);
            evict::evict(&root, limit, &target.size);
            done
        });
        let received = pump(body, sender).await;
        let unpacked = unpacked.await.map_err(|error| CacheError::Connection(error.to_string()))?;
        match (received, unpacked) {
            (Err(error), Err(_)) => Err(CacheError::Connection(error)),
            (_, Err(error)) => Err(place.failed(&error)),
            (_, Ok(())) => Ok(()),
        }
    }
}

/// Hands the body on; what ends early is told by its missing end.
async fn pump(mut body: ResponseBody, sender: mpsc::Sender<unpack::Piece>) -> Result<(), String> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| error.to_string())?;
        if let Ok(bytes) = frame.into_data()
            && sender.send(unpack::Piece::Bytes(bytes)).await.is_err()
        {
            // The other side has its own error, or all that it needs.
            return Ok(());
        }
    }
    let _ = sender.send(unpack::Piece::End).await;
    Ok(())
}

/// Where a revision is.
#[derive(Debug, Clone)]
struct Place {
    files: PathBuf,
    size: PathBuf,
}

impl Place {
    fn new(root: &Path, workspace: &WorkspaceName, revision: &Revision) -> Self {
        let folder = root.join(dir_name(workspace.as_str()));
        Self { files: folder.join(revision.as_str()), size: folder.join(format!("{revision}.size")) }
    }

    /// Takes it into use, if it is there.
    fn take(&self) -> io::Result<Option<InUse>> {
        let lock = match File::open(&self.size) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            lock => lock?,
        };
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockShared) {
            Ok(()) => {}
            // Somebody removes it just now.
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        if !self.files.is_dir() || !self.size.exists() {
            return Ok(None);
        }
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let touched = rustix::fs::futimens(&lock, &Timestamps { last_access: now, last_modification: now });
        if let Err(error) = touched {
            tracing::debug!(%error, "the time of last use cannot be set");
        }
        Ok(Some(InUse { path: self.files.clone(), _lock: lock }))
    }

    fn failed(&self, error: &io::Error) -> CacheError {
        let (path, message) = (self.files.clone(), error.to_string());
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => CacheError::Full { path, message },
            _ => CacheError::Unpack { path, message },
        }
    }
}

#[cfg(test)]
mod tests;
