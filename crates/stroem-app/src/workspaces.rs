//! Workspaces: their sources, their files as a model, and the models of revisions that jobs still need.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    num::NonZeroUsize,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use lru::LruCache;
use stroem_core::{Revision, Timestamp, WorkspaceName};
use stroem_source::{Snapshot, WorkflowFile, WorkspaceSource};
use stroem_workflow::{Diagnostic, Plan, PlanHash, SourceFile, Workspace};

use crate::{error::AppError, revisions::Revisions};

const CACHED_REVISIONS: NonZeroUsize = NonZeroUsize::new(16).expect("not zero");

/// A workspace at one revision, as a model.
pub struct LoadedWorkspace {
    /// The revision.
    pub revision: Revision,
    /// Its tasks, secrets and diagnostics.
    pub model: Workspace,
    plans: Mutex<HashMap<String, Arc<StoredPlan>>>,
}

/// A plan with its stored form.
pub(crate) struct StoredPlan {
    pub(crate) plan: Arc<Plan>,
    pub(crate) json: Arc<str>,
    pub(crate) hash: PlanHash,
}

/// A workspace as lists show it.
pub struct WorkspaceView {
    /// Its name.
    pub name: WorkspaceName,
    /// Its newest model, or why there is none.
    pub loaded: Result<Arc<LoadedWorkspace>, AppError>,
}

/// All workspaces of the server's config.
pub(crate) struct Workspaces {
    revisions: Revisions,
    sources: BTreeMap<WorkspaceName, Arc<dyn WorkspaceSource>>,
    loaded: Mutex<LruCache<(WorkspaceName, Revision), Arc<LoadedWorkspace>>>,
}

impl LoadedWorkspace {
    fn new(revision: Revision, files: &[WorkflowFile]) -> Self {
        let files: Vec<SourceFile> = files
            .iter()
            .map(|file| SourceFile { path: file.path.clone(), text: file.text.to_string() })
            .collect();
        Self { revision, model: stroem_workflow::load(&files), plans: Mutex::default() }
    }

    /// The plan of a task, made once per revision.
    pub(crate) fn plan(&self, workspace: &str, task: &str) -> Result<Arc<StoredPlan>, AppError> {
        if let Some(stored) = self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(task) {
            return Ok(Arc::clone(stored));
        }
        let plan = self.model.plan(task).map_err(|error| AppError::from_plan(workspace, error))?;
        let (json, hash) = plan.to_stored();
        let stored = Arc::new(StoredPlan { plan: Arc::new(plan), json: json.into(), hash });
        self.plans
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(task.to_owned(), Arc::clone(&stored));
        Ok(stored)
    }

    /// Diagnostics of the files that a task needs: those of its own file, and errors of others when it is broken.
    pub fn diagnostics_of(&self, task: &str) -> Vec<Diagnostic> {
        let Some(entry) = self.model.tasks.values().find(|entry| entry.name.as_str() == task) else {
            return Vec::new();
        };
        match self.model.plan(task) {
            Err(stroem_workflow::PlanError::Broken { diagnostics, .. }) => diagnostics,
            _ => self
                .model
                .diagnostics
                .iter()
                .filter(|diagnostic| diagnostic.file == entry.file)
                .cloned()
                .collect(),
        }
    }
}

impl Workspaces {
    pub(crate) fn new(
        sources: BTreeMap<WorkspaceName, Arc<dyn WorkspaceSource>>,
        revisions: Revisions,
    ) -> Self {
        Self { revisions, sources, loaded: Mutex::new(LruCache::new(CACHED_REVISIONS)) }
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &WorkspaceName> {
        self.sources.keys()
    }

    pub(crate) fn source(
        &self,
        workspace: &str,
    ) -> Result<(&WorkspaceName, &Arc<dyn WorkspaceSource>), AppError> {
        self.sources.get_key_value(workspace).ok_or_else(|| AppError::NoSuchWorkspace(workspace.to_owned()))
    }

    /// The newest revision of each workspace that has been read.
    pub(crate) fn newest_revisions(&self) -> BTreeSet<String> {
        let newest = self.sources.values().filter_map(|source| source.current());
        newest.map(|snapshot| snapshot.revision.to_string()).collect()
    }

    /// The model of the newest revision, after pending changes of files are taken in.
    pub(crate) async fn refresh(&self, workspace: &str) -> Result<Arc<LoadedWorkspace>, AppError> {
        let (name, source) = self.source(workspace)?;
        let snapshot = source.refresh().await.map_err(|error| AppError::WorkspaceUnreadable {
            workspace: workspace.to_owned(),
            message: error.to_string(),
        })?;
        Ok(self.loaded_of(name, &snapshot))
    }

    fn loaded_of(&self, name: &WorkspaceName, snapshot: &Snapshot) -> Arc<LoadedWorkspace> {
        let key = (name.clone(), snapshot.revision.clone());
        if let Some(loaded) = self.loaded.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(loaded);
        }
        let loaded = Arc::new(LoadedWorkspace::new(snapshot.revision.clone(), &snapshot.workflow_files));
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).put(key, Arc::clone(&loaded));
        loaded
    }

    /// The model of a revision that a job pinned, from memory or from its tarball.
    pub(crate) async fn at(
        &self,
        workspace: &WorkspaceName,
        revision: &Revision,
    ) -> Result<Arc<LoadedWorkspace>, AppError> {
        let key = (workspace.clone(), revision.clone());
        if let Some(loaded) = self.loaded.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(loaded));
        }
        let tarball = self.tarball(workspace.as_str(), revision).await?;
        let files = tokio::task::spawn_blocking(move || stroem_source::workflow_files_of(&tarball));
        let files =
            files.await.map_err(|error| error.to_string()).and_then(|files| files.map_err(|e| e.to_string()));
        let files = files
            .map_err(|message| AppError::WorkspaceUnreadable { workspace: workspace.to_string(), message })?;
        let loaded = Arc::new(LoadedWorkspace::new(revision.clone(), &files));
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).put(key, Arc::clone(&loaded));
        Ok(loaded)
    }

    /// Sees to it that every server can get a revision that is here, before a job pins it.
    pub(crate) async fn share(
        &self,
        workspace: &str,
        revision: &Revision,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let (_, source) = self.source(workspace)?;
        match source.tarball(revision) {
            Some(tarball) => self.revisions.share(revision, &tarball, now).await,
            None => Err(no_such_revision(workspace, revision)),
        }
    }

    /// Where a revision's tarball lies, which another server may have made.
    pub(crate) async fn tarball(&self, workspace: &str, revision: &Revision) -> Result<PathBuf, AppError> {
        let name =
            WorkspaceName::new(workspace).map_err(|_| AppError::NoSuchWorkspace(workspace.to_owned()))?;
        let here = self.sources.get(&name).and_then(|source| source.tarball(revision));
        let found = match here {
            Some(tarball) => Some(tarball),
            None => self.revisions.fetch(&name, revision).await?,
        };
        found.ok_or_else(|| no_such_revision(workspace, revision))
    }
}

fn no_such_revision(workspace: &str, revision: &Revision) -> AppError {
    AppError::NoSuchRevision { workspace: workspace.to_owned(), revision: revision.to_string() }
}
