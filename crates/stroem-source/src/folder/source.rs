//! The port's implementation: shares one builder among concurrent refreshes, and looks in the background when
//! something happened.

use std::{
    mem::{Discriminant, discriminant},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use stroem_core::{ByteSize, Revision, limits};
use tokio::{
    sync::{Mutex, watch},
    task::JoinHandle,
};

use super::{
    build::Builder,
    pack,
    watch::{Hint, Watch, start},
};
use crate::{Snapshot, SourceError, WorkspaceSource};

/// How often a folder is looked at where its changes cannot be watched.
const POLL_PERIOD: Duration = Duration::from_secs(10);

/// What a folder workspace is made of.
#[derive(Debug, Clone)]
pub struct FolderOptions {
    /// The workspace's folder. It may be a link that is switched, and need not exist yet.
    pub path: PathBuf,
    /// Where tarballs are written. Workspaces of one server may share it, servers may not. It is created when it is
    /// missing and never part of the workspace, even when it is inside.
    pub tarball_dir: PathBuf,
    /// More folders and files that are never part of the workspace, such as the server's data directory.
    pub exclude: Vec<PathBuf>,
    /// The size of all files together.
    pub limit: ByteSize,
    /// Look at the folder periodically instead of watching it, for file systems without events (network mounts).
    pub poll_only: bool,
    /// How often to look where changes cannot be watched.
    pub poll_period: Duration,
}

impl FolderOptions {
    /// The usual options for a folder.
    pub fn new(path: impl Into<PathBuf>, tarball_dir: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            tarball_dir: tarball_dir.into(),
            exclude: vec![],
            limit: limits::WORKSPACE,
            poll_only: false,
            poll_period: POLL_PERIOD,
        }
    }
}

/// A workspace in a directory of this machine, watched until it is closed or dropped.
#[derive(Debug)]
pub struct FolderSource {
    shared: Arc<Shared>,
    watching: JoinHandle<()>,
}

impl FolderSource {
    /// Begins to watch the folder, with a first look at once. A folder that is missing or unusable now is no error:
    /// refreshing says so until it is there.
    ///
    /// # Errors
    /// [`SourceError::Tarball`] when the folder for tarballs cannot be created or cleaned of unfinished ones.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn open(options: FolderOptions) -> Result<Self, SourceError> {
        let cleaned =
            std::fs::create_dir_all(&options.tarball_dir).and_then(|()| pack::remove_leftovers(&options));
        cleaned.map_err(|source| SourceError::Tarball {
            path: options.tarball_dir.clone(),
            source: Arc::new(source),
        })?;
        let shared = Arc::new(Shared {
            options,
            refreshing: Arc::default(),
            asked: AtomicU64::new(0),
            current: watch::Sender::new(None),
            version: watch::Sender::new(0),
        });
        #[expect(clippy::disallowed_methods, reason = "ended by drop, and joined by close")]
        let watching = tokio::spawn(watch_folder(shared.clone()));
        Ok(Self { shared, watching })
    }

    /// Ends watching and waits for a refresh that is under way.
    pub async fn close(mut self) {
        self.watching.abort();
        // It was aborted just now, or ended with the runtime.
        if let Err(error) = (&mut self.watching).await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
        drop(self.shared.refreshing.lock().await);
    }
}

impl Drop for FolderSource {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

#[async_trait]
impl WorkspaceSource for FolderSource {
    async fn refresh(&self) -> Result<Arc<Snapshot>, SourceError> {
        refresh(&self.shared).await
    }

    fn current(&self) -> Option<Arc<Snapshot>> {
        self.shared.current.borrow().clone()
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.shared.version.subscribe()
    }

    fn tarball(&self, revision: &Revision) -> Option<PathBuf> {
        let path = self.shared.options.tarball_dir.join(format!("{revision}.tar.zst"));
        path.is_file().then_some(path)
    }
}

type Outcome = Result<Arc<Snapshot>, SourceError>;

#[derive(Debug)]
struct Shared {
    options: FolderOptions,
    refreshing: Arc<Mutex<Refreshing>>,
    /// Numbers the calls of refresh.
    asked: AtomicU64,
    current: watch::Sender<Option<Arc<Snapshot>>>,
    version: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Refreshing {
    builder: Builder,
    /// The latest outcome and the number of the last call that came before its look began.
    latest: Option<(u64, Outcome)>,
}

/// Joins a look that begins after this call, or begins it.
async fn refresh(shared: &Arc<Shared>) -> Outcome {
    let number = shared.asked.fetch_add(1, Ordering::AcqRel) + 1;
    let mut refreshing = shared.refreshing.clone().lock_owned().await;
    if let Some((answered, outcome)) = &refreshing.latest
        && *answered >= number
    {
        return outcome.clone();
    }
    let shared = shared.clone();
    // The guard goes along, so that a look whose caller is gone still ends before the next one begins.
    let look = tokio::task::spawn_blocking(move || {
        let answered = shared.asked.load(Ordering::Acquire);
        let outcome = refreshing.builder.refresh(&shared.options);
        let before = refreshing.latest.replace((answered, outcome.clone()));
        shared.publish(before.map(|(_, outcome)| outcome), &outcome);
        outcome
    });
    match look.await {
        Ok(outcome) => outcome,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(SourceError::Closed),
    }
}

impl Shared {
    fn publish(&self, before: Option<Outcome>, now: &Outcome) {
        if let Ok(snapshot) = now {
            self.current.send_replace(Some(snapshot.clone()));
        }
        let same = match (before, now) {
            (Some(Ok(before)), Ok(now)) => Arc::ptr_eq(&before, now),
            (Some(Err(before)), Err(now)) => discriminant(&before) == discriminant(now),
            _ => false,
        };
        if !same {
            self.version.send_modify(|version| *version += 1);
        }
    }
}

/// Looks when something happened, for ever.
async fn watch_folder(shared: Arc<Shared>) {
    let hint = Arc::new(Hint::default());
    let mut watch = None;
    let mut watchable = true;
    let mut reported = None;
    let mut fruitless = 0;
    loop {
        if (hint.take_stale() || watch.is_none()) && !shared.options.poll_only {
            watch = watch_anew(&shared, &hint, watch.take(), watchable).await;
            watchable = watch.is_some();
        }
        let seen = *shared.version.borrow();
        report(&shared, &mut reported, &refresh(&shared).await);
        fruitless = if *shared.version.borrow() == seen { fruitless + 1 } else { 0 };
        tokio::select! {
            () = hint.wait(fruitless) => {}
            () = tokio::time::sleep(shared.options.poll_period), if watch.is_none() => {}
        }
    }
}

/// Replaces the watch; `None` when the folder cannot be watched now, which is worth a line in the log when it was
/// `watchable` so far.
async fn watch_anew(
    shared: &Arc<Shared>,
    hint: &Arc<Hint>,
    old: Option<Watch>,
    watchable: bool,
) -> Option<Watch> {
    let (folder, hint) = (shared.clone(), hint.clone());
    let started = tokio::task::spawn_blocking(move || {
        drop(old);
        start(&folder.options, hint)
    });
    match started.await {
        Ok(Ok(watch)) => Some(watch),
        Ok(Err(error)) => {
            let (path, period) = (shared.options.path.display(), shared.options.poll_period);
            if watchable {
                tracing::warn!(%path, %error, ?period, "the workspace folder cannot be watched, it is polled");
            }
            None
        }
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => None,
    }
}

/// Logs that the workspace became unusable, once.
fn report(shared: &Shared, reported: &mut Option<Discriminant<SourceError>>, outcome: &Outcome) {
    let failure = outcome.as_ref().err();
    let kind = failure.map(discriminant);
    if let Some(error) = failure
        && kind != *reported
    {
        let path = shared.options.path.display();
        tracing::warn!(%path, error = error as &dyn std::error::Error, "the workspace is unusable");
    }
    *reported = kind;
}
