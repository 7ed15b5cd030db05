//! Server and worker in this process: the same application, router and protocol as apart, without a socket between.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use stroem_api::{ApiClient, ControlPlane};
use stroem_app::{App, AppOptions};
use stroem_core::{Secret, WorkspaceName};
use stroem_runner::Runner;
use stroem_runner_local::{LocalRunner, LocalRunnerOptions, keeper::Keeper};
use stroem_server::{RouterTransport, Served};
use stroem_store_sqlite::SqliteStore;
use stroem_worker::{Worker, WorkerConfig, WorkerError};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{compose::process, failure::Failure};

/// What to put together.
#[derive(Debug)]
pub(crate) struct EmbeddedOptions {
    /// The folder of workflows.
    pub(crate) folder: PathBuf,
    /// Where database, cache and files of running steps lie.
    pub(crate) data_dir: PathBuf,
    /// Where to listen; nowhere when none.
    pub(crate) listen: Option<SocketAddr>,
    /// How many steps run at once.
    pub(crate) max_concurrent: u32,
    /// How long a step waits for a worker with its tags; as usual when none.
    pub(crate) unmatched_step_timeout: Option<Duration>,
    /// Kills what is left when this process dies.
    pub(crate) keeper: Keeper,
}

/// A server and a worker that run in this process.
pub(crate) struct Embedded {
    /// Asks the server.
    pub(crate) client: ApiClient,
    app: App,
    served: Option<Served>,
    worker: JoinHandle<Result<(), WorkerError>>,
    worker_stop: CancellationToken,
}

/// Where an engine of this host listens.
const ENGINE_SOCKET: &str = "/var/run/docker.sock";

/// The name of the folder's workspace.
pub(crate) const WORKSPACE: &str = "default";

impl Embedded {
    /// Starts all parts.
    pub(crate) async fn start(options: EmbeddedOptions) -> Result<Self, Failure> {
        let folder =
            options.folder.canonicalize().map_err(|error| Failure::unreadable(&options.folder, &error))?;
        if !folder.join(".workflows").is_dir() {
            let text = format!(
                "{} has no folder .workflows: put workflow files there, or name another folder with --path",
                folder.display()
            );
            return Err(Failure::usage(text));
        }
        let environment = |error: &dyn std::fmt::Display| Failure::environment(error.to_string());
        let unusable = |error: std::io::Error| {
            let dir = options.data_dir.display();
            Failure::environment(format!(
                "cannot keep data in {dir}: {error}; name another folder with --data-dir"
            ))
        };
        // Scripts with secrets in them lie below it.
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&options.data_dir);
        made.map_err(unusable)?;
        let data_dir = options.data_dir.canonicalize().map_err(unusable)?;
        let store = SqliteStore::open(&data_dir.join("server")).map_err(|error| environment(&error))?;
        // Both ends are in this process, so the token is nobody else's business.
        #[expect(
            clippy::disallowed_methods,
            reason = "a token for one process; nothing is recorded under it"
        )]
        let token = Secret::new(uuid::Uuid::new_v4().simple().to_string());
        let name = WorkspaceName::new(WORKSPACE).map_err(|error| environment(&error))?;
        let mut settings =
            AppOptions::new(token.clone(), data_dir.join("server"), BTreeMap::from([(name, folder)]));
        settings.exclude.push(data_dir.clone());
        if let Some(timeout) = options.unmatched_step_timeout {
            settings.unmatched_step_timeout = timeout;
            settings.sweep_interval = settings.sweep_interval.min(timeout / 4);
        }
        let app = App::start(settings, Arc::new(store)).await.map_err(|error| environment(&error))?;
        let router = stroem_server::router(app.clone());
        let served = match options.listen {
            Some(address) => {
                let served = stroem_server::serve(&app, router.clone(), address, false).await;
                Some(served.map_err(|error| environment(&error))?)
            }
            None => None,
        };
        let transport = Arc::new(RouterTransport::new(router));
        let worker_stop = CancellationToken::new();
        let control_plane = ControlPlane::new(transport.clone());
        let worker = start_worker(&token, &data_dir, &options, control_plane, worker_stop.clone())?;
        Ok(Self { client: ApiClient::new(transport, None), app, served, worker, worker_stop })
    }

    /// Where the server listens.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.served.as_ref().map(|served| served.address)
    }

    /// Ends the worker, then the server.
    pub(crate) async fn stop(self) {
        self.worker_stop.cancel();
        match self.worker.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the worker ended badly"),
            Err(error) => tracing::error!(%error, "the worker ended by a defect"),
        }
        self.app.stop().await;
        if let Some(served) = self.served {
            served.stopped().await;
        }
    }
}

fn start_worker(
    token: &Secret,
    data_dir: &Path,
    options: &EmbeddedOptions,
    control_plane: ControlPlane,
    stop: CancellationToken,
) -> Result<JoinHandle<Result<(), WorkerError>>, Failure> {
    let environment = process::environment();
    // Where an engine could be, so that steps in containers run here as they do on a server.
    let is_engine =
        Path::new(ENGINE_SOCKET).exists() || environment.iter().any(|(name, _)| name == "DOCKER_HOST");
    let mut settings = serde_json::json!({
        "worker_token": token,
        "worker_name": "local",
        "max_concurrent": options.max_concurrent,
        "workspace_cache_dir": data_dir.join("cache"),
        "state_dir": data_dir.join("worker"),
        "drain_timeout_secs": 1,
    });
    if is_engine {
        settings["docker"] = serde_json::json!({});
        settings["tags"] = serde_json::json!(["script", "docker"]);
    }
    let text = settings.to_string();
    let environment: Vec<_> =
        environment.into_iter().filter(|(name, _)| !name.starts_with("STROEM__")).collect();
    let source = stroem_config::Source {
        file: "the embedded worker's settings",
        text: &text,
        environment: &environment,
    };
    let config = WorkerConfig::load(source, "local").map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::Internal { message: lines.join("\n") }
    })?;
    let runners = runners(&options.keeper, &config)?;
    // Its server ends with it, so nobody would take over what it leaves.
    let settings =
        stroem_worker::Options { hands_over: false, ..stroem_worker::Options::new(&config, runners) };
    let worker =
        Worker::new(settings, control_plane).map_err(|error| Failure::environment(error.to_string()))?;
    #[expect(clippy::disallowed_methods, reason = "joined by Embedded::stop")]
    Ok(tokio::spawn(worker.run(stop)))
}

/// The local runner, and those that the worker's configuration describes.
pub(crate) fn runners(keeper: &Keeper, config: &WorkerConfig) -> Result<Vec<Arc<dyn Runner>>, Failure> {
    let cannot =
        |error: std::io::Error| Failure::environment(format!("the local runner cannot start: {error}"));
    stroem_runner_local::become_subreaper().map_err(cannot)?;
    let local = LocalRunner::new(LocalRunnerOptions {
        path: process::variable("PATH", "/usr/local/bin:/usr/bin:/bin"),
        lang: process::variable("LANG", "C.UTF-8"),
        keeper: Some(keeper.clone()),
    });
    let mut runners: Vec<Arc<dyn Runner>> = vec![Arc::new(local.map_err(cannot)?)];
    runners.extend(stroem_worker::runners(config).map_err(|error| Failure::usage(error.to_string()))?);
    Ok(runners)
}
