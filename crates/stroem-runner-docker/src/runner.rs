//! The runner: one attempt from preparation to cleanup, and what earlier processes left.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use bollard::{errors::Error, query_parameters::ListContainersOptions};
use stroem_core::{AttemptKey, Outcome, RunnerKind};
use stroem_runner::{EventSender, RunRequest, Runner, StopReceiver, Unavailable};
use tokio_util::task::TaskTracker;

use crate::{
    DockerRunnerOptions, OptionsError,
    attempt::Attempt,
    engine::{Engine, words},
    guard::{Guard, Running, remove},
    images::Images,
    labels,
};

/// Runs steps as containers on one engine.
#[derive(Debug)]
pub struct DockerRunner {
    options: DockerRunnerOptions,
    engine: Engine,
    images: Images,
    running: Running,
    /// Removals of containers whose attempts were dropped.
    tasks: TaskTracker,
    was_swept: AtomicBool,
}

impl DockerRunner {
    /// A runner for an engine, which need not be there yet.
    ///
    /// # Errors
    /// When an address cannot be one, or a file of the TLS client cannot be used.
    pub fn new(options: DockerRunnerOptions) -> Result<Self, OptionsError> {
        let engine = Engine::new(&options)?;
        let images = Images::new(&engine, &options);
        Ok(Self {
            options,
            engine,
            images,
            running: Running::default(),
            tasks: TaskTracker::new(),
            was_swept: AtomicBool::new(false),
        })
    }

    /// Names the engine among all engines, once it was reached.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn engine_id(&self) -> Result<String, Unavailable> {
        let facts = self.engine.facts().await;
        facts.map(|facts| facts.id.clone()).map_err(|error| Unavailable(words(&error)))
    }

    /// Removes what earlier processes of this worker left on the engine, once.
    async fn sweep(&self) {
        if self.was_swept.swap(true, Ordering::Relaxed) {
            return;
        }
        let left = match self.containers(labels::OWNER, &self.options.owner).await {
            Ok(left) => left,
            Err(error) => {
                tracing::warn!(error = words(&error), "containers of an earlier process cannot be listed");
                self.was_swept.store(false, Ordering::Relaxed);
                return;
            }
        };
        for name in left.iter().filter(|name| !self.running.has(name)) {
            tracing::warn!(container = name, "removing a container that an earlier worker left");
            self.remove(name).await;
        }
    }

    async fn remove(&self, name: &str) -> bool {
        let removed = remove(&self.engine.docker, name).await;
        if let Err(error) = &removed {
            tracing::error!(container = name, error = words(error), "a container cannot be removed");
        }
        removed.is_ok()
    }

    /// The names of all containers with a label.
    async fn containers(&self, label: &str, value: &str) -> Result<Vec<String>, Error> {
        self.engine.negotiate().await?;
        let filters = HashMap::from([("label".to_owned(), vec![format!("{label}={value}")])]);
        let options =
            ListContainersOptions { all: true, filters: Some(filters), ..ListContainersOptions::default() };
        let found = self.engine.docker.list_containers(Some(options)).await?;
        let names = found.into_iter().filter_map(|container| container.names?.into_iter().next());
        Ok(names.map(|name| name.trim_start_matches('/').to_owned()).collect())
    }
}

#[async_trait]
impl Runner for DockerRunner {
    fn kind(&self) -> RunnerKind {
        RunnerKind::Docker
    }

    async fn health(&self) -> Result<(), Unavailable> {
        self.engine.check().await.map_err(Unavailable)?;
        self.sweep().await;
        Ok(())
    }

    async fn data_root(&self) -> Option<PathBuf> {
        self.engine.data_root().await
    }

    async fn collect_one(&self) -> bool {
        self.images.collect_one().await
    }

    async fn run(&self, request: RunRequest, events: EventSender, mut stop: StopReceiver) -> Outcome {
        // A worker that starts again finds by this directory which attempts to clean up after.
        if let Err(error) = tokio::fs::create_dir_all(&request.scratch).await {
            return disk_outcome(&request.scratch, &error);
        }
        let name = labels::name(&request);
        let guard = Guard::new(&self.engine.docker, name.clone(), &self.running, &self.tasks);
        let attempt = Attempt {
            engine: &self.engine,
            images: &self.images,
            options: &self.options,
            request: &request,
            events: &events,
            name,
        };
        let (Ok(outcome) | Err(outcome)) = Box::pin(attempt.run(&mut stop)).await;
        guard.remove().await;
        remove_scratch(&request.scratch).await;
        outcome
    }

    async fn cleanup(&self, attempt: AttemptKey, scratch: &Path) {
        match self.containers(labels::ATTEMPT, &labels::attempt(attempt)).await {
            Ok(left) => {
                for name in left.iter().filter(|name| !self.running.has(name)) {
                    if !self.remove(name).await {
                        return;
                    }
                }
            }
            Err(error) => {
                tracing::warn!(error = words(&error), "containers of an attempt cannot be listed");
                return;
            }
        }
        remove_scratch(scratch).await;
    }
}

async fn remove_scratch(scratch: &Path) {
    if let Err(error) = tokio::fs::remove_dir_all(scratch).await
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(dir = %scratch.display(), %error, "a step's directory cannot be removed");
    }
}

fn disk_outcome(path: &Path, error: &io::Error) -> Outcome {
    let message = format!("{}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Outcome::DiskFull { message },
        _ => Outcome::RunnerError { message },
    }
}
