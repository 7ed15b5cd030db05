//! The runner: one attempt from preparation to cleanup, and what earlier processes left.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use bollard::{errors::Error, models::ContainerSummary, query_parameters::ListContainersOptions};
use stroem_core::{AttemptKey, LeaseKey, Outcome, RunnerKind, Runtime};
use stroem_runner::{EventSender, RunRequest, Runner, StopReason, StopReceiver, Unavailable};
use tokio_util::task::TaskTracker;

use crate::{
    DockerRunnerOptions, OptionsError,
    adopt::lease,
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
}

impl DockerRunner {
    /// A runner for an engine, which need not be there yet.
    ///
    /// # Errors
    /// When an address cannot be one, or a file of the TLS client cannot be used.
    pub fn new(options: DockerRunnerOptions) -> Result<Self, OptionsError> {
        let engine = Engine::new(&options)?;
        let images = Images::new(&engine, &options);
        Ok(Self { options, engine, images, running: Running::default(), tasks: TaskTracker::new() })
    }

    /// Names the engine among all engines, once it was reached.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn engine_id(&self) -> Result<String, Unavailable> {
        let facts = self.engine.facts().await;
        facts.map(|facts| facts.id.clone()).map_err(|error| Unavailable(words(&error)))
    }

    async fn remove(&self, name: &str) -> bool {
        let removed = remove(&self.engine.docker, name).await;
        if let Err(error) = &removed {
            tracing::error!(container = name, error = words(error), "a container cannot be removed");
        }
        removed.is_ok()
    }

    /// All containers with a label, which may have `=` and a value.
    async fn containers(&self, label: String) -> Result<Vec<ContainerSummary>, Error> {
        self.engine.negotiate().await?;
        let filters = HashMap::from([("label".to_owned(), vec![label])]);
        let options =
            ListContainersOptions { all: true, filters: Some(filters), ..ListContainersOptions::default() };
        self.engine.docker.list_containers(Some(options)).await
    }

    /// Follows a container until it is over or somebody else does, and removes it in the first case.
    async fn pass(
        &self,
        name: String,
        (request, events): (&RunRequest, &EventSender),
        stop: &mut StopReceiver,
        is_adopted: bool,
    ) -> Outcome {
        let guard = Guard::new(&self.engine.docker, name.clone(), &self.running, &self.tasks);
        let (engine, images, options) = (&self.engine, &self.images, &self.options);
        let attempt = Attempt { engine, images, options, request, events, name };
        let passed =
            if is_adopted { Box::pin(attempt.adopt(stop)).await } else { Box::pin(attempt.run(stop)).await };
        let (Ok(outcome) | Err(outcome)) = passed;
        if outcome == Outcome::WorkerLost && *stop.borrow() == Some(StopReason::LetGo) {
            guard.leave();
        } else {
            guard.remove().await;
        }
        remove_scratch(&request.scratch).await;
        outcome
    }
}

fn name_of(container: ContainerSummary) -> Option<String> {
    Some(container.names?.first()?.trim_start_matches('/').to_owned())
}

#[async_trait]
impl Runner for DockerRunner {
    fn kind(&self) -> RunnerKind {
        RunnerKind::Docker
    }

    async fn health(&self) -> Result<(), Unavailable> {
        self.engine.check().await.map_err(Unavailable)?;
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
        self.pass(name, (&request, &events), &mut stop, false).await
    }

    async fn scope(&self) -> Option<String> {
        self.engine.facts().await.ok()?;
        self.engine.scope()
    }

    async fn adopt(
        &self,
        runtime: &Runtime,
        request: RunRequest,
        events: EventSender,
        mut stop: StopReceiver,
    ) -> Outcome {
        self.pass(runtime.handle.clone(), (&request, &events), &mut stop, true).await
    }

    async fn leftovers(&self) -> Result<Vec<LeaseKey>, Unavailable> {
        let found = self.containers(labels::ATTEMPT.to_owned()).await;
        let found = found.map_err(|error| Unavailable(words(&error)))?;
        let lease = |container: ContainerSummary| {
            let labels = container.labels.clone()?;
            let lease = lease(labels.get(labels::ATTEMPT)?, labels.get(labels::FENCE)?)?;
            (!self.running.has(&name_of(container)?)).then_some(lease)
        };
        Ok(found.into_iter().filter_map(lease).collect())
    }

    async fn cleanup(&self, attempt: AttemptKey, scratch: &Path) {
        match self.containers(format!("{}={}", labels::ATTEMPT, labels::attempt(attempt))).await {
            Ok(left) => {
                for name in left.into_iter().filter_map(name_of).filter(|name| !self.running.has(name)) {
                    if !self.remove(&name).await {
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
