//! The runner: connects when it has to, and hands attempts to their cluster.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use kube::api::ListParams;
use stroem_core::{AttemptKey, LeaseKey, Outcome, RunnerKind, Runtime};
use stroem_runner::{EventSender, RunRequest, Runner, StopReceiver, Unavailable};
use tokio::sync::Mutex;

use crate::{KubernetesOptions, adopt, attempt, cluster::Cluster, names, requests::Requests};

/// Runs steps as pods. Cheap until the first question.
pub struct KubernetesRunner {
    options: KubernetesOptions,
    requests: Requests,
    cluster: Mutex<Option<Arc<Cluster>>>,
    is_permitted: AtomicBool,
}

impl KubernetesRunner {
    /// A runner that reads its credentials when it is first asked.
    pub fn new(options: KubernetesOptions) -> Self {
        Self {
            options,
            requests: Requests::default(),
            cluster: Mutex::default(),
            is_permitted: AtomicBool::new(false),
        }
    }

    /// How often the cluster was asked, by verb and resource.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.requests.counts()
    }

    async fn cluster(&self) -> Result<Arc<Cluster>, Unavailable> {
        let mut cluster = self.cluster.lock().await;
        if let Some(cluster) = &*cluster {
            return Ok(Arc::clone(cluster));
        }
        let connected = Arc::new(Cluster::connect(&self.options, &self.requests).await?);
        Ok(Arc::clone(cluster.insert(connected)))
    }
}

#[async_trait]
impl Runner for KubernetesRunner {
    fn kind(&self) -> RunnerKind {
        RunnerKind::Pod
    }

    async fn health(&self) -> Result<(), Unavailable> {
        let cluster = self.cluster().await?;
        if !self.is_permitted.load(Ordering::Relaxed) {
            cluster.check_permissions().await?;
            self.is_permitted.store(true, Ordering::Relaxed);
            cluster.watch();
            return Ok(());
        }
        if cluster.watches.is_healthy() {
            return Ok(());
        }
        // The watch failed: the cluster is away, or something was taken from us.
        cluster.check_permissions().await
    }

    async fn run(&self, request: RunRequest, events: EventSender, stop: StopReceiver) -> Outcome {
        match self.cluster().await {
            Ok(cluster) => attempt::run(&cluster, &self.options, &request, &events, stop).await,
            Err(Unavailable(message)) => Outcome::RunnerError { message },
        }
    }

    async fn scope(&self) -> Option<String> {
        let cluster = self.cluster().await.ok()?;
        self.is_permitted.load(Ordering::Relaxed).then(|| cluster.scope.clone())
    }

    async fn adopt(
        &self,
        runtime: &Runtime,
        request: RunRequest,
        events: EventSender,
        stop: StopReceiver,
    ) -> Outcome {
        match self.cluster().await {
            Ok(cluster) => adopt::run((&cluster, &self.options), runtime, request, (&events, stop)).await,
            Err(Unavailable(message)) => Outcome::RunnerError { message },
        }
    }

    async fn leftovers(&self) -> Result<Vec<LeaseKey>, Unavailable> {
        Ok(self.cluster().await?.watches.strangers())
    }

    async fn cleanup(&self, attempt: AttemptKey, scratch: &Path) {
        if let Err(error) = tokio::fs::remove_dir_all(scratch).await
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(dir = %scratch.display(), %error, "a step's directory cannot be removed");
        }
        let cluster = match self.cluster().await {
            Ok(cluster) => cluster,
            Err(error) => return tracing::error!(%error, "what a lost attempt left cannot be looked for"),
        };
        let selector = names::selector(attempt);
        match cluster.pods.list(&ListParams::default().labels(&selector)).await {
            Ok(pods) => {
                for name in pods.items.into_iter().filter_map(|pod| pod.metadata.name) {
                    cluster.remove(&name, true).await;
                }
            }
            Err(error) => tracing::error!(%error, "what a lost attempt left cannot be looked for"),
        }
    }
}
