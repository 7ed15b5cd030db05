//! `stroem worker`

use std::{path::PathBuf, sync::Arc};

use stroem_api::{ControlPlane, HttpTransport};
use stroem_runner_local::keeper::Keeper;
use stroem_worker::{Worker as WorkerService, WorkerConfig};
use tokio_util::sync::CancellationToken;

use crate::{
    compose::{config, logging, process, runners},
    exit::Exit,
    failure::Failure,
    runtime,
    terminal::Terminal,
};

/// Options of `stroem worker`.
#[derive(Debug, clap::Args)]
pub(crate) struct Worker {
    /// The configuration
    #[arg(
        long,
        env = "STROEM_CONFIG",
        hide_env_values = true,
        default_value = "worker-config.yaml",
        value_name = "FILE"
    )]
    config: PathBuf,
}

impl Worker {
    pub(crate) fn run(self, _terminal: &Terminal) -> Result<Exit, Failure> {
        let config = config::read(&self.config, |source| WorkerConfig::load(source, &process::host_name()))?;
        logging::start("info");
        let keeper = Keeper::spawn()
            .map_err(|error| Failure::environment(format!("the keeper process cannot start: {error}")))?;
        let exit = runtime::serving(async {
            let transport =
                HttpTransport::new(&config.server_url).map_err(|error| Failure::usage(error.to_string()))?;
            let runners = runners(&keeper, &config)?;
            let options = stroem_worker::Options::new(&config, runners);
            let worker = WorkerService::new(options, ControlPlane::new(Arc::new(transport)))
                .map_err(|error| Failure::environment(error.to_string()))?;
            let shutdown = CancellationToken::new();
            let running = async {
                let result = worker.run(shutdown.clone()).await;
                shutdown.cancel();
                result.map_err(|error| Failure::environment(error.to_string()))
            };
            let (result, told) = tokio::join!(running, process::until_told(shutdown.clone()));
            result.and(told)?;
            Ok(Exit::Done)
        });
        keeper.stop();
        exit
    }
}
