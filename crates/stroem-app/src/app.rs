//! The application's handle, and how its parts are put together.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use stroem_blobs::{BlobError, BlobStore};
use stroem_core::{JobId, Revision, Timestamp, WorkspaceName};
use stroem_engine::Effect;
use stroem_source::{FolderOptions, FolderSource, WorkspaceSource};
use stroem_store::{HintStream, JobCounts, ReplicaStore, SharedStore};
use tokio_util::sync::CancellationToken;

use crate::{
    AppError, AppOptions, Clock, LoadedWorkspace, Vault, WorkspaceView,
    adoption::{self, Offers},
    changes::{Change, Changes},
    dispatch::Dispatch,
    heartbeats::Heartbeats,
    hub::{Hub, JobSubscription},
    leader,
    mailbox::{Follow, Mailboxes, Publish},
    metrics::Metrics,
    recovery::Recovery,
    replicas,
    replicas::{LOOK_AGAIN, Replicas},
    revisions::Revisions,
    sealer::SealSignal,
    shared_blobs,
    tasks::Tasks,
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
    pub(crate) replicas: Replicas,
    pub(crate) recovery: Recovery,
    pub(crate) blobs: BlobStore,
    pub(crate) workspaces: Workspaces,
    pub(crate) vault: Vault,
    pub(crate) mailboxes: Mailboxes,
    pub(crate) dispatch: Dispatch,
    pub(crate) heartbeats: Heartbeats,
    pub(crate) offers: Offers,
    pub(crate) hub: Hub,
    pub(crate) changes: Changes,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) timers: TimerSignal,
    pub(crate) seals: SealSignal,
    pub(crate) tasks: Tasks,
    pub(crate) started_at: Timestamp,
}

impl App {
    /// Puts the parts together, takes up what an earlier server left, and starts the background services: the one server of
    /// this store.
    ///
    /// # Errors
    /// [`AppError`] when the key file or the store cannot be read.
    pub async fn start(options: AppOptions, store: SharedStore) -> Result<Self, AppError> {
        Self::start_with(options, store, Replicas::default()).await
    }

    /// The same for one of several servers of a store. Blobs go there too, and all go by its clock.
    ///
    /// # Errors
    /// As [`Self::start`]; [`AppError::OtherKey`] when the others have another key.
    pub async fn start_shared(
        mut options: AppOptions,
        store: SharedStore,
        shared: Arc<dyn ReplicaStore>,
    ) -> Result<Self, AppError> {
        let (replicas, clock) = Replicas::of(shared, Arc::clone(&options.clock)).await?;
        options.clock = clock;
        Self::start_with(options, store, replicas).await
    }

    async fn start_with(
        options: AppOptions,
        store: SharedStore,
        replicas: Replicas,
    ) -> Result<Self, AppError> {
        // Subscribes before it looks.
        let hints = replicas.hints();
        let vault = Vault::open(&options.key_file, Arc::clone(&options.clock))?;
        replicas.agree_on_key(&vault).await?;
        let blobs = open_blobs(&options, &replicas).await?;
        let sources = open_sources(&options)?;
        let tasks = Tasks::default();
        let look_again = replicas.is_shared().then_some(LOOK_AGAIN);
        let (hub, timers, seals) = (Hub::new(look_again), TimerSignal::default(), SealSignal::default());
        let clock = Arc::clone(&options.clock);
        let started_at = clock.now();
        let changes = Changes::new(memory(clock.as_ref()));
        let dispatch = Dispatch::new();
        dispatch.know(store.queue_keys().await?);
        let publish = publisher(&hub, &timers, &seals, &dispatch, &changes);
        let metrics = Arc::new(Metrics::default());
        let follow = Follow { publish, metrics: Arc::clone(&metrics) };
        let mailboxes = Mailboxes::new(Arc::clone(&store), clock, tasks.clone(), follow);
        let heartbeats = Heartbeats::load(store.workers().await?);
        let shared_blobs = replicas.is_shared().then(|| blobs.clone());
        let revisions = Revisions::new(options.data_dir.join("tarballs"), shared_blobs);
        let inner = Inner {
            workspaces: Workspaces::new(sources, revisions),
            options,
            store,
            replicas,
            recovery: Recovery::default(),
            blobs,
            vault,
            mailboxes,
            dispatch,
            heartbeats,
            offers: Offers::new(),
            hub,
            changes,
            metrics,
            timers,
            seals,
            tasks,
            started_at,
        };
        let app = Self { inner: Arc::new(inner) };
        app.serve(hints);
        Ok(app)
    }

    fn serve(&self, hints: Option<Box<dyn HintStream>>) {
        let tasks = &self.inner.tasks;
        match hints {
            Some(hints) => {
                tasks.serve(replicas::listen(self.clone(), hints));
                tasks.serve(replicas::look(self.clone()));
                tasks.serve(leader::serve(self.clone()));
            }
            None => leader::lead(self, tasks.stopping()),
        }
        tasks.serve(adoption::serve(self.clone()));
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
    /// [`AppError::NoSuchWorkspace`], [`AppError::NoSuchRevision`]; [`AppError::Store`], [`AppError::Disk`] when it has to be
    /// fetched and cannot be.
    pub async fn tarball(&self, workspace: &str, revision: &Revision) -> Result<PathBuf, AppError> {
        self.inner.workspaces.tarball(workspace, revision).await
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

/// What follows from a commit of this server.
fn publisher(
    hub: &Hub,
    timers: &TimerSignal,
    seals: &SealSignal,
    dispatch: &Dispatch,
    changes: &Changes,
) -> Publish {
    let (hub, timers, seals) = (hub.clone(), timers.clone(), seals.clone());
    let (dispatch, changes) = (dispatch.clone(), changes.clone());
    Arc::new(move |effects: Vec<Effect>| {
        for effect in effects {
            match effect {
                Effect::Ready { tags } => drop(dispatch.ready(&tags)),
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
}

/// A name for the memory of changes that no other server has, nor this one when it starts again.
fn memory(clock: &dyn Clock) -> i64 {
    let random = clock.random();
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&random[..8]);
    i64::from_be_bytes(bytes)
}

/// The place for blobs: the store, when several servers may share it, and else the data directory.
async fn open_blobs(options: &AppOptions, replicas: &Replicas) -> Result<BlobStore, AppError> {
    let dir = options.data_dir.join("blobs");
    let disk =
        |error: BlobError| AppError::Disk { what: "blob store".to_owned(), message: error.to_string() };
    let Some(shared) = replicas.blobs() else { return BlobStore::local(&dir).map_err(disk) };
    match shared_blobs::take_over(&dir, &shared).await.map_err(disk)? {
        0 => {}
        blobs => tracing::info!(blobs, "blobs moved from the data directory into the database"),
    }
    Ok(shared)
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
                // So that a trigger does not wait for it.
                let shared = app.inner.workspaces.share(name.as_str(), &loaded.revision, app.now()).await;
                if let Err(error) = shared {
                    tracing::warn!(workspace = %name, %error, "the workspace cannot be stored for other servers");
                }
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
