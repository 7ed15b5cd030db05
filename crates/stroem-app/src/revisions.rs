//! Tarballs of revisions where every server of the store finds them: a job may be created here and its steps claimed there.
//! One server alone has them all on its disk.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::TryStreamExt;
use stroem_blobs::{BlobError, BlobKey, BlobStore};
use stroem_core::{Revision, Timestamp, WorkspaceName};
use stroem_store::StoreError;
use tokio::io::AsyncWriteExt;

use crate::AppError;

/// For how long a revision is known to be kept. The leader removes only what was not used for six times as long.
const KNOWN_FOR: Duration = Duration::from_secs(600);

/// The tarballs.
pub(crate) struct Revisions {
    /// Those on this server's disk, a folder for each workspace.
    dir: PathBuf,
    shared: Option<BlobStore>,
    known: Mutex<HashMap<Revision, Timestamp>>,
}

impl Revisions {
    pub(crate) fn new(dir: PathBuf, shared: Option<BlobStore>) -> Self {
        Self { dir, shared, known: Mutex::default() }
    }

    /// Sees to it that every server can get a revision, before a job pins it.
    pub(crate) async fn share(
        &self,
        revision: &Revision,
        tarball: &Path,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let Some(shared) = &self.shared else { return Ok(()) };
        let is_known = |at: &Timestamp| now.since(*at) < KNOWN_FOR;
        if self.known.lock().unwrap_or_else(PoisonError::into_inner).get(revision).is_some_and(is_known) {
            return Ok(());
        }
        let key = BlobKey::tarball(revision);
        if !shared.renew(&key).await.map_err(|error| away(&error))? {
            shared.put_file(&key, tarball).await.map_err(|error| away(&error))?;
            tracing::debug!(%revision, "tarball stored for all servers");
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, at| is_known(at));
        known.insert(revision.clone(), now);
        Ok(())
    }

    /// Gets a revision that another server made; none when nobody has it.
    pub(crate) async fn fetch(
        &self,
        workspace: &WorkspaceName,
        revision: &Revision,
    ) -> Result<Option<PathBuf>, AppError> {
        let dir = self.dir.join(workspace.as_str());
        let path = dir.join(format!("{revision}.tar.zst"));
        if path.exists() {
            return Ok(Some(path));
        }
        // A name that a path reads otherwise is no folder of ours.
        let Some(shared) = self.shared.as_ref().filter(|_| !workspace.as_str().starts_with('.')) else {
            return Ok(None);
        };
        let mut blob = match shared.stream(&BlobKey::tarball(revision)).await {
            Ok(blob) => blob,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(away(&error)),
        };
        let unwritable = |error: std::io::Error| AppError::Disk {
            what: format!("tarball of revision {revision}"),
            message: error.to_string(),
        };
        std::fs::create_dir_all(&dir).map_err(unwritable)?;
        // It appears whole or not at all.
        let file = tempfile::Builder::new().prefix(".fetched-").tempfile_in(&dir).map_err(unwritable)?;
        let mut out = tokio::fs::File::from_std(file.reopen().map_err(unwritable)?);
        while let Some(piece) = blob.chunks.try_next().await.map_err(|error| away(&error))? {
            out.write_all(&piece).await.map_err(unwritable)?;
        }
        out.sync_all().await.map_err(unwritable)?;
        file.persist(&path).map_err(|error| unwritable(error.error))?;
        Ok(Some(path))
    }
}

/// The place for blobs is the store's.
fn away(error: &BlobError) -> AppError {
    let mut message = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
    AppError::Store(StoreError::Unavailable(message))
}
