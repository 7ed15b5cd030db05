//! The kubernetes runner as a worker's configuration describes it.

use std::sync::Arc;

use stroem_runner::Runner;
use stroem_runner_kubernetes::{Allowed, KubernetesOptions, KubernetesRunner, PodDefaults};
use stroem_worker::WorkerConfig;

/// The runner, when there is a section for it.
pub(crate) fn kubernetes_runner(config: &WorkerConfig) -> Option<Arc<dyn Runner>> {
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
