//! What the runner needs to know, independent of where it was written.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde_json::Value;
use stroem_core::Resources;

use crate::Allowed;

/// How to reach a cluster, and what its pods look like.
#[derive(Debug, Clone)]
pub struct KubernetesOptions {
    /// Where pods are created; they are the only things that are ever touched, with their Secrets.
    pub namespace: String,
    /// A kubeconfig file; without one the usual places are looked at, then the credentials of the pod that this is.
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; its current one when left out.
    pub context: Option<String>,
    /// The server's address as pods reach it, without a path.
    pub server_url: String,
    /// Downloads the workspace; has `sh`, `curl`, `tar`, `find` and `chmod`.
    pub init_image: String,
    /// Runs script steps.
    pub runner_image: String,
    /// A ConfigMap whose files are sourced before a script.
    pub startup_configmap: Option<String>,
    /// How long a pod may wait for room in a quota, for a node or for its image before the step fails.
    pub pending_timeout: Duration,
    /// What pods have unless their step says otherwise.
    pub defaults: PodDefaults,
    /// What manifests may ask for.
    pub allowed: Allowed,
}

/// What pods have unless their step says otherwise.
#[derive(Debug, Clone, Default)]
pub struct PodDefaults {
    /// The account that pods run as; they get its token then, and none otherwise.
    pub service_account: Option<String>,
    /// Labels of the nodes that may run them.
    pub node_selector: BTreeMap<String, String>,
    /// Taints that they tolerate, as Kubernetes spells them.
    pub tolerations: Vec<Value>,
    /// Names of Secrets for private registries.
    pub pull_secrets: Vec<String>,
    /// `IfNotPresent`, `Always` or `Never`.
    pub pull_policy: String,
    /// Limits of the step's container.
    pub resources: Resources,
}

impl KubernetesOptions {
    /// Everything by its default in a namespace, with the server at this address.
    pub fn new(namespace: &str, server_url: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            kubeconfig: None,
            context: None,
            server_url: server_url.trim_end_matches('/').to_owned(),
            init_image: "curlimages/curl:latest".to_owned(),
            runner_image: "ghcr.io/fremvaerk/stroem-runner:latest".to_owned(),
            startup_configmap: None,
            pending_timeout: Duration::from_secs(300),
            defaults: PodDefaults { pull_policy: "IfNotPresent".to_owned(), ..PodDefaults::default() },
            allowed: Allowed::default(),
        }
    }
}
