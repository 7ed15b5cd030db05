//! The runners that a configuration describes, for every program that has one. The only part of this library that names
//! adapters; the local runner needs the program's own keeper and is made there.

use std::sync::Arc;

use stroem_runner::Runner;

use crate::WorkerConfig;

/// A section that no runner can be made of: an address that cannot be one, a file of a TLS client that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SectionError(Box<dyn std::error::Error + Send + Sync>);

/// One runner for each section of the configuration. Its platform need not be there yet.
///
/// # Errors
/// [`SectionError`]: the configuration is wrong.
pub fn runners(config: &WorkerConfig) -> Result<Vec<Arc<dyn Runner>>, SectionError> {
    Ok([docker(config)?, kubernetes(config)].into_iter().flatten().collect())
}

#[cfg(not(feature = "docker"))]
const fn docker(_config: &WorkerConfig) -> Result<Option<Arc<dyn Runner>>, SectionError> {
    Ok(None)
}

#[cfg(feature = "docker")]
fn docker(config: &WorkerConfig) -> Result<Option<Arc<dyn Runner>>, SectionError> {
    use stroem_runner_docker::{
        Allowed, Ceilings, DockerRunner, DockerRunnerOptions, Hardening, PullPolicy, TlsFiles,
    };

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
        allowed: Allowed { mounts: section.allow.mounts(), networks: section.allow.networks.clone() },
        images_file: Some(config.state_dir.join("images")),
        owner: format!("{} {} {}", config.worker_name, config.server_url, config.state_dir.display()),
    };
    match DockerRunner::new(options) {
        Ok(runner) => Ok(Some(Arc::new(runner))),
        Err(error) => Err(SectionError(error.into())),
    }
}

#[cfg(not(feature = "kubernetes"))]
const fn kubernetes(_config: &WorkerConfig) -> Option<Arc<dyn Runner>> {
    None
}

#[cfg(feature = "kubernetes")]
fn kubernetes(config: &WorkerConfig) -> Option<Arc<dyn Runner>> {
    use stroem_runner_kubernetes::{Allowed, KubernetesOptions, KubernetesRunner, PodDefaults};

    let section = config.kubernetes.as_ref()?;
    let server_url = section.server_url.as_ref().unwrap_or(&config.server_url);
    let mut options = KubernetesOptions::new(&section.namespace, server_url);
    options.kubeconfig.clone_from(&section.kubeconfig);
    options.context.clone_from(&section.context);
    options.init_image.clone_from(&section.init_image);
    options.startup_configmap.clone_from(&section.runner_startup_configmap);
    options.pending_timeout = section.pending_timeout.as_duration();
    if let Some(image) = &config.runner_image {
        options.runner_image.clone_from(image);
    }
    options.defaults = PodDefaults {
        service_account: section.service_account.clone(),
        node_selector: section.node_selector.clone(),
        tolerations: section.tolerations.iter().map(|toleration| serde_json::json!(toleration)).collect(),
        pull_secrets: section.pull_secrets.clone(),
        pull_policy: section.pull_policy.clone(),
        resources: section.resources.limits(),
    };
    let allows = |what: &str| section.allow.iter().any(|allowed| allowed == what);
    options.allowed = Allowed {
        privileged: allows("privileged"),
        host_path: allows("host_path"),
        host_namespaces: allows("host_namespaces"),
    };
    Some(Arc::new(KubernetesRunner::new(options)))
}
