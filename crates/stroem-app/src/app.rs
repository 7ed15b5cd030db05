//! The application's handle, and how its parts are put together.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use stroem_blobs::BlobStore;
use stroem_core::{JobId, Revision, Timestamp, WorkspaceName};
use stroem_engine::Effect;
use stroem_source::{FolderOptions, FolderSource, WorkspaceSource};
use stroem_store::{JobCounts, SharedStore};
use tokio_util::sync::CancellationToken;

use crate::{
    AppError, AppOptions, LoadedWorkspace, Vault, WorkspaceView,
    adoption::{self, Offers},
    changes::{Change, Changes},
    dispatch::Dispatch,
    heartbeats::Heartbeats,
    hub::{Hub, JobSubscription},
    mailbox::Mailboxes,
    recovery, sealer,
    sealer::SealSignal,
    tasks::Tasks,
    timers,
    timers::TimerSignal,
    workspaces::Workspaces,
};

/// The application. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) options: AppOptions,
    pub(crate) store: SharedStore,
    pub(crate) blobs: BlobStore,
    pub(crate) workspaces: Workspaces,
    pub(crate) vault: Vault,
    pub(crate) mailboxes: Mailboxes,
    pub(crate) dispatch: Dispatch,
    pub(crate) heartbeats: Heartbeats,
    pub(crate) offers: Offers,
    pub(crate) hub: Hub,
    pub(crate) changes: Changes,
    pub(crate) timers: TimerSignal,
    pub(crate) seals: SealSignal,
    pub(crate) tasks: Tasks,
    pub(crate) started_at: Timestamp,
}

impl App {
    /// Puts the parts together, takes up what an earlier server left, and starts the background services.
    ///
    /// # Errors
    /// [`AppError`] when the key file or the store cannot be read.
    pub async fn start(options: AppOptions, store: SharedStore) -> Result<Self, AppError> {
        let vault = Vault::open(&options.data_dir.join("secret.key"), Arc::clone(&options.clock))?;
        let blobs = BlobStore::local(&options.data_dir.join("blobs"))
            .map_err(|error| AppError::Disk { what: "blob store".to_owned(), message: error.to_string() })?;
        let sources = open_sources(&options)?;
        let tasks = Tasks::default();
        let (hub, timers, seals) = (Hub::default(), TimerSignal::default(), SealSignal::default());
        let clock = Arc::clone(&options.clock);
        let started_at = clock.now();
        let changes = Changes::new(started_at.as_micros());
        let dispatch = Dispatch::new();
        dispatch.know(store.queue_keys().await?);
        let publish = {
            let (hub, timers, seals, dispatch) =
                (hub.clone(), timers.clone(), seals.clone(), dispatch.clone());
            let changes = changes.clone();
            Arc::new(move |effects: Vec<Effect>| {
                for effect in effects {
                    match effect {
                        Effect::Ready { tags } => dispatch.ready(&tags),
                        Effect::Kill(kill) => dispatch.nudge(kill.worker),
                        Effect::Released { .. } => {}
                        Effect::TimerAdded { due_at } => timers.added(due_at),
                        Effect::JobChanged { job, status, version } => {
                            hub.notify(job);
                            changes.note(Change::Job { job, status, version });
                            if status.is_terminal() {
                                seals.job_ended();
                            }
                        }
                    }
                }
            })
        };
        let mailboxes = Mailboxes::new(Arc::clone(&store), Arc::clone(&clock), tasks.clone(), publish);
        let heartbeats = Heartbeats::load(store.workers().await?, started_at);
        let workspaces = Workspaces::new(sources);
        let inner = Inner {
            options,
            store,
            blobs,
            workspaces,
            vault,
            mailboxes,
            dispatch,
            heartbeats,
            offers: Offers::new(),
            hub,
            changes,
            timers,
            seals,
            tasks,
            started_at,
        };
        let app = Self { inner: Arc::new(inner) };
        app.end_orphaned_leases().await?;
        app.serve();
        Ok(app)
    }

    fn serve(&self) {
        let tasks = &self.inner.tasks;
        tasks.serve(timers::serve(self.clone()));
        tasks.serve(recovery::serve(self.clone()));
        tasks.serve(adoption::serve(self.clone()));
        tasks.serve(sealer::serve(self.clone()));
        tasks.serve(crate::tarballs::serve(self.clone()));
        tasks.serve(crate::heartbeats::serve(self.clone()));
        for name in self.inner.workspaces.names().cloned().collect::<Vec<_>>() {
            tasks.serve(watch_workspace(self.clone(), name));
        }
    }

    /// Ends the background services and waits for commits that were begun. Jobs stay as they are in the store.
    pub async fn stop(&self) {
        self.inner.tasks.stop().await;
    }

    /// Cancelled when the application begins to stop: long polls and streams end then.
    pub fn stopping(&self) -> &CancellationToken {
        self.inner.tasks.stopping()
    }

    /// The time, as the application sees it.
    pub fn now(&self) -> Timestamp {
        self.inner.options.clock.now()
    }

    /// All workspaces with their newest models.
    pub async fn workspaces(&self) -> Vec<WorkspaceView> {
        let mut views = Vec::new();
        for name in self.inner.workspaces.names() {
            views.push(WorkspaceView {
                name: name.clone(),
                loaded: self.inner.workspaces.refresh(name.as_str()).await,
            });
        }
        views
    }

    /// One workspace's newest model, after pending changes of files are taken in.
    ///
    /// # Errors
    /// [`AppError::NoSuchWorkspace`], [`AppError::WorkspaceUnreadable`].
    pub async fn workspace(&self, workspace: &str) -> Result<Arc<LoadedWorkspace>, AppError> {
        self.inner.workspaces.refresh(workspace).await
    }

    /// Where a revision's tarball lies, for a worker that needs it.
    ///
    /// # Errors
    /// [`AppError::NoSuchWorkspace`], [`AppError::NoSuchRevision`].
    pub fn tarball(&self, workspace: &str, revision: &Revision) -> Result<PathBuf, AppError> {
        self.inner.workspaces.tarball(workspace, revision)
    }

    /// Wakes when the job or its log changes. Subscribe first, then look.
    pub fn watch_job(&self, job: JobId) -> JobSubscription {
        self.inner.hub.subscribe(job)
    }

    /// How often workers send a sign of life, and after how long without one they are judged lost.
    pub fn heartbeat_settings(&self) -> (std::time::Duration, std::time::Duration) {
        (self.inner.options.heartbeat_interval, self.inner.options.heartbeat_timeout)
    }

    /// Numbers for a dashboard.
    ///
    /// # Errors
    /// [`AppError::Store`].
    pub async fn counts(&self) -> Result<JobCounts, AppError> {
        Ok(self.inner.store.counts().await?)
    }
}

fn open_sources(options: &AppOptions) -> Result<BTreeMap<WorkspaceName, Arc<dyn WorkspaceSource>>, AppError> {
    let mut sources: BTreeMap<WorkspaceName, Arc<dyn WorkspaceSource>> = BTreeMap::new();
    for (name, path) in &options.workspaces {
        let mut folder = FolderOptions::new(path, options.data_dir.join("tarballs").join(name.as_str()));
        folder.exclude.push(options.data_dir.clone());
        folder.exclude.extend(options.exclude.iter().cloned());
        let source = FolderSource::open(folder).map_err(|error| AppError::WorkspaceUnreadable {
            workspace: name.to_string(),
            message: error.to_string(),
        })?;
        sources.insert(name.clone(), Arc::new(source));
    }
    Ok(sources)
}

/// Takes in changes of files soon after they are made, so that lists are fresh and a trigger finds the work done.
async fn watch_workspace(app: App, name: WorkspaceName) {
    let Ok((_, source)) = app.inner.workspaces.source(name.as_str()) else { return };
    let mut changed = source.changed();
    loop {
        match app.inner.workspaces.refresh(name.as_str()).await {
            Ok(loaded) => {
                let errors = loaded.model.diagnostics.len();
                tracing::info!(workspace = %name, revision = %loaded.revision, diagnostics = errors, "workspace loaded");
                app.inner.changes.note(Change::Workspaces);
            }
            Err(error) => {
                tracing::warn!(workspace = %name, %error, "workspace cannot be loaded");
                app.inner.changes.note(Change::Workspaces);
            }
        }
        if changed.changed().await.is_err() {
            return;
        }
    }
}
