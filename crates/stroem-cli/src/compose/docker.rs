//! The docker runner as a worker's configuration describes it.

use std::sync::Arc;

use stroem_runner::Runner;
use stroem_runner_docker::{Ceilings, DockerRunner, DockerRunnerOptions, Hardening, PullPolicy, TlsFiles};
use stroem_worker::WorkerConfig;

use crate::failure::Failure;

/// The runner, when there is a section for it.
pub(crate) fn docker_runner(config: &WorkerConfig) -> Result<Option<Arc<dyn Runner>>, Failure> {
    let Some(section) = &config.docker else { return Ok(None) };
    let options = DockerRunnerOptions {
        host: section.host.clone(),
        tls: section.tls.clone().map(|tls| TlsFiles { ca: tls.ca, cert: tls.cert, key: tls.key }),
        runner_image: config.runner_image.clone().unwrap_or_default(),
        pull: PullPolicy::parse(&section.pull),
        pull_timeout: section.pull_timeout.as_duration(),
        registry_config: section.registry_config.clone(),
        ceilings: Ceilings {
            cpu: section.limits.cpu(),
            memory: section.limits.memory,
            pids: section.limits.pids,
        },
        hardening: Hardening {
            user: section.user.clone(),
            read_only_root: section.read_only,
            cap_drop: section.cap_drop.clone(),
            network: section.network.clone(),
        },
        mounts: section.mounts.clone(),
        owner: format!("{} {} {}", config.worker_name, config.server_url, config.state_dir.display()),
    };
    match DockerRunner::new(options) {
        Ok(runner) => Ok(Some(Arc::new(runner))),
        Err(error) => Err(Failure::usage(error.to_string())),
    }
}
