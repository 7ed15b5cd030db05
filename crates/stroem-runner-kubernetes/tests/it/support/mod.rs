//! The kubernetes runner as a subject, and looks at the cluster with the eyes of its administrator.

mod files;
mod gate;
mod requests;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::{
    Api, Client, Config, Resource,
    api::ListParams,
    config::{KubeConfigOptions, Kubeconfig},
};
use stroem_core::{AttemptKey, LeaseKey, Outcome, RunnerKind, Runtime};
use stroem_runner::{
    EventSender, RunRequest, Runner, StopReceiver, Unavailable,
    conformance::{Subject, skip},
};
use stroem_runner_kubernetes::{KubernetesOptions, KubernetesRunner};

pub(crate) use files::FileServer;
pub(crate) use gate::Gate;
pub(crate) use requests::{Ran, image, request, run, run_until, set_manifest};

/// The namespace of the tests.
pub(crate) const NAMESPACE: &str = "stroem-jobs";
/// The image of the tests' steps; it must be on the nodes.
pub(crate) const IMAGE: &str = "debian:bookworm";

/// A runner with a directory and a file server of its own.
pub(crate) struct Pods {
    pub(crate) runner: Serving,
    pub(crate) admin: Client,
    directory: tempfile::TempDir,
}

/// The runner, with a server that gives the workspaces of requests to their pods.
pub(crate) struct Serving {
    pub(crate) runner: KubernetesRunner,
    pub(crate) files: Arc<FileServer>,
}

impl Pods {
    /// None when there is no cluster, which is said.
    pub(crate) async fn new() -> Option<Self> {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut KubernetesOptions)) -> Option<Self> {
        let (admin, credentials, _) = cluster().await?;
        let files = Arc::new(FileServer::start().await);
        let mut options = KubernetesOptions::new(NAMESPACE, &files.url());
        options.kubeconfig = Some(credentials);
        options.runner_image = IMAGE.to_owned();
        change(&mut options);
        let runner = Serving { runner: KubernetesRunner::new(options), files };
        Some(Self { runner, admin, directory: tempfile::tempdir().expect("a directory") })
    }

    /// What is there of a kind, with an administrator's eyes.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.admin.clone(), NAMESPACE)
    }

    /// The pod of an attempt.
    pub(crate) async fn pod(&self, request: &RunRequest) -> Option<Pod> {
        self.api::<Pod>().list(&selector(request)).await.expect("pods").items.into_iter().next()
    }
}

fn selector(request: &RunRequest) -> ListParams {
    let attempt = request.lease.attempt;
    ListParams::default()
        .labels(&format!("stroem.dev/job={},stroem.dev/step-index={}", attempt.job, attempt.step))
}

/// An administrator's client, the credentials for the runner (the file beside the administrator's whose name ends in
/// `-runner`, if there is one), and the administrator's.
pub(crate) async fn cluster() -> Option<(Client, PathBuf, PathBuf)> {
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration that could say it")]
    let Some(path) = std::env::var_os("KUBECONFIG").map(PathBuf::from).filter(|path| path.is_file()) else {
        skip("KUBECONFIG names no file: `dev/k8s up` makes a cluster");
        return None;
    };
    let written = Kubeconfig::read_from(&path).expect("a kubeconfig");
    let config =
        Config::from_custom_kubeconfig(written, &KubeConfigOptions::default()).await.expect("credentials");
    let admin = Client::try_from(config).expect("a client");
    if let Err(error) = admin.apiserver_version().await {
        skip(&format!("the cluster of KUBECONFIG does not answer: {error}"));
        return None;
    }
    let mut narrow = path.clone().into_os_string();
    narrow.push("-runner");
    let narrow = PathBuf::from(narrow);
    Some((admin, if narrow.is_file() { narrow } else { path.clone() }, path))
}

/// Waits for a state of the world and gives it; panics when it does not come.
pub(crate) async fn wait_for<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..1_200 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("not within 2 minutes: {what}");
}

#[async_trait]
impl Runner for Serving {
    fn kind(&self) -> RunnerKind {
        self.runner.kind()
    }

    async fn health(&self) -> Result<(), Unavailable> {
        self.runner.health().await
    }

    async fn run(&self, mut request: RunRequest, events: EventSender, stop: StopReceiver) -> Outcome {
        if let Some(workspace) = &request.workspace {
            request.download = Some(self.files.offer(workspace));
        }
        self.runner.run(request, events, stop).await
    }

    async fn scope(&self) -> Option<String> {
        self.runner.scope().await
    }

    async fn adopt(
        &self,
        runtime: &Runtime,
        request: RunRequest,
        events: EventSender,
        stop: StopReceiver,
    ) -> Outcome {
        self.runner.adopt(runtime, request, events, stop).await
    }

    async fn leftovers(&self) -> Result<Vec<LeaseKey>, Unavailable> {
        self.runner.leftovers().await
    }

    async fn cleanup(&self, attempt: AttemptKey, scratch: &Path) {
        self.runner.cleanup(attempt, scratch).await;
    }
}

#[async_trait]
impl Subject for Pods {
    fn runner(&self) -> &dyn Runner {
        &self.runner
    }

    fn directory(&self) -> &Path {
        self.directory.path()
    }

    async fn left_of(&self, request: &RunRequest) -> Vec<String> {
        let pods = self.api::<Pod>().list(&selector(request)).await.expect("pods");
        let secrets = self.api::<Secret>().list(&selector(request)).await.expect("Secrets");
        let pods =
            pods.items.into_iter().filter_map(|pod| pod.metadata.name).map(|name| format!("pod {name}"));
        let secrets = secrets.items.into_iter().filter_map(|secret| secret.metadata.name);
        pods.chain(secrets.map(|name| format!("Secret {name}"))).collect()
    }

    fn separates_streams(&self) -> bool {
        false
    }

    fn keeps_bytes(&self) -> bool {
        false
    }
}
