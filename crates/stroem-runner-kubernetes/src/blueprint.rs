//! The pod and the Secret of an attempt. Pure. The pod waits for the Secret, which holds everything that a step's author
//! wrote: script, arguments, environment, and the token for the workspace.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Map, Value, json};
use stroem_core::{Outcome, Resources, StepRun, limits};
use stroem_runner::RunRequest;

use crate::{
    KubernetesOptions, guard::refusal, image::image_parts, manifest, names, script, script::invalid,
};

/// Bytes that a Secret may hold, with room for its names.
const SECRET_BYTES: usize = (1 << 20) - 4096;
/// What a pod may take besides its image, its start and its step's time.
const DEADLINE_MARGIN: Duration = Duration::from_secs(120);

/// Everything that is created for an attempt.
#[derive(Debug)]
pub(crate) struct Blueprint {
    pub(crate) name: String,
    pub(crate) pod: Pod,
    /// Texts of the Secret by key. Empty when the step needs none.
    pub(crate) secret: BTreeMap<String, String>,
    /// What the wrapper's lines begin with; images have no wrapper.
    pub(crate) nonce: Option<String>,
    /// The memory limit of the step's container.
    pub(crate) resources: Resources,
}

/// The step's container, its volumes, and the Secret's texts.
pub(crate) struct Parts {
    pub(crate) containers: Map<String, Value>,
    pub(crate) volumes: Vec<Value>,
    pub(crate) texts: BTreeMap<String, String>,
}

impl Blueprint {
    /// # Errors
    /// [`Outcome::InvalidInput`] for what the user has to change.
    pub(crate) fn new(
        request: &RunRequest,
        options: &KubernetesOptions,
        nonce: &str,
    ) -> Result<Self, Outcome> {
        let name = names::pod_name(request);
        let resources = resources(request, options);
        let limits = json!({ "limits": limit_map(resources) });
        let (parts, over, nonce) = match &request.spec.run {
            StepRun::Script(script) => {
                let parts = script::parts(request, options, script, (&name, nonce), &limits)?;
                (parts, &script.manifest, Some(nonce.to_owned()))
            }
            StepRun::Image(image) => {
                (image_parts(request, options, image, &name, &limits), &image.manifest, None)
            }
        };
        let size: usize = parts.texts.iter().map(|(name, text)| name.len() + text.len()).sum();
        if size > SECRET_BYTES {
            let message = format!("script, args and env have {size} bytes; a pod can take {SECRET_BYTES}");
            return Err(invalid(&message));
        }
        let mut pod = base(request, options, &name, parts.containers, parts.volumes);
        if let Some(over) = over {
            manifest::apply(&mut pod, over.clone())?;
        }
        finish(&mut pod, request, options, &name);
        if let Some(refused) = refusal(&pod, options.allowed) {
            return Err(invalid(&refused));
        }
        if request.spec.secrets.iter().any(|secret| manifest::holds(&pod, secret.expose())) {
            return Err(invalid(
                "a secret would be readable in the pod's specification: give it to the step by `env`",
            ));
        }
        let typed: Pod = serde_json::from_value(pod.clone())
            .map_err(|error| invalid(&format!("manifest: this is no pod: {error}")))?;
        let read = serde_json::to_value(&typed).expect("a pod is JSON");
        if let Some(path) = manifest::lost(&pod, &read, "") {
            return Err(invalid(&format!("manifest: a pod has no `{path}`")));
        }
        Ok(Self { name, pod: typed, secret: parts.texts, nonce, resources })
    }
}

fn base(
    request: &RunRequest,
    options: &KubernetesOptions,
    name: &str,
    containers: Map<String, Value>,
    volumes: Vec<Value>,
) -> Value {
    let defaults = &options.defaults;
    let mut spec = containers;
    spec.insert("enableServiceLinks".to_owned(), false.into());
    spec.insert("terminationGracePeriodSeconds".to_owned(), grace_secs(request).into());
    spec.insert("volumes".to_owned(), volumes.into());
    if !defaults.node_selector.is_empty() {
        spec.insert("nodeSelector".to_owned(), json!(defaults.node_selector));
    }
    if !defaults.tolerations.is_empty() {
        spec.insert("tolerations".to_owned(), json!(defaults.tolerations));
    }
    if !defaults.pull_secrets.is_empty() {
        let named: Vec<Value> = defaults.pull_secrets.iter().map(|name| json!({ "name": name })).collect();
        spec.insert("imagePullSecrets".to_owned(), named.into());
    }
    if let Some(account) = &defaults.service_account {
        spec.insert("serviceAccountName".to_owned(), account.as_str().into());
    }
    json!({
        "metadata": {"name": name, "labels": names::labels(request), "annotations": names::annotations(request)},
        "spec": spec,
    })
}

/// What no manifest changes: who the pod is, that it runs once, and how long.
fn finish(pod: &mut Value, request: &RunRequest, options: &KubernetesOptions, name: &str) {
    pod["metadata"]["name"] = name.into();
    pod["metadata"]["namespace"] = options.namespace.as_str().into();
    let labels = pod["metadata"]["labels"].as_object_mut();
    labels
        .into_iter()
        .for_each(|labels| labels.extend(names::labels(request).into_iter().map(|(k, v)| (k, v.into()))));
    let spec = &mut pod["spec"];
    spec["restartPolicy"] = "Never".into();
    let time = request.spec.timeout.unwrap_or(limits::STEP_TIMEOUT_MAX).as_duration();
    let deadline = options.pending_timeout + time + request.grace.as_duration() + DEADLINE_MARGIN;
    if spec["activeDeadlineSeconds"].is_null() {
        spec["activeDeadlineSeconds"] = deadline.as_secs().into();
    }
    let has_account = !spec["serviceAccountName"].is_null();
    if !has_account && spec["automountServiceAccountToken"].is_null() {
        spec["automountServiceAccountToken"] = false.into();
    }
}

fn resources(request: &RunRequest, options: &KubernetesOptions) -> Resources {
    let (own, default) = (request.spec.resources, options.defaults.resources);
    Resources { cpu: own.cpu.or(default.cpu), memory: own.memory.or(default.memory), pids: None }
}

fn limit_map(resources: Resources) -> Map<String, Value> {
    let cpu = resources.cpu.map(|cpu| ("cpu", format!("{}m", cpu.millicores())));
    let memory = resources.memory.map(|memory| ("memory", memory.as_bytes().to_string()));
    cpu.into_iter().chain(memory).map(|(name, value)| (name.to_owned(), value.into())).collect()
}

/// What the kubelet gives a container between TERM and KILL: a little more than the wrapper, which says how it went.
pub(crate) fn grace_secs(request: &RunRequest) -> u32 {
    u32::try_from(request.grace.as_duration().as_secs()).unwrap_or(u32::MAX - 1) + 1
}

#[cfg(test)]
mod tests {
    use stroem_core::{ByteSize, CpuQuantity, ImageSpec, RunnerKind, Secret};
    use stroem_runner::Download;

    use super::*;
    use crate::testing::request;

    fn options() -> KubernetesOptions {
        KubernetesOptions::new("jobs", "http://server:8080/")
    }

    fn blueprint(request: &RunRequest) -> Blueprint {
        Blueprint::new(request, &options(), "n0nce").expect("a pod")
    }

    fn refused(request: &RunRequest) -> String {
        Blueprint::new(request, &options(), "n0nce").expect_err("it is refused").to_string()
    }

    #[test]
    fn the_pod_of_a_script() {
        let mut script = request("echo hello");
        script.spec.resources = Resources {
            cpu: Some(CpuQuantity::from_millicores(500)),
            memory: Some(ByteSize::from_mib(64)),
            pids: None,
        };
        script.spec.timeout = Some(stroem_core::HumanDuration::from_secs(60));
        let token = Secret::new("t0ken".to_owned());
        script.download = Some(Download { path: "/worker/workspaces/default/abc/tar".to_owned(), token });
        let blueprint = blueprint(&script);
        insta::assert_yaml_snapshot!(blueprint.pod);
        let keys: Vec<&str> = blueprint.secret.keys().map(String::as_str).collect();
        assert_eq!(keys, ["begin", "curl", "environment", "interpreter", "script", "wrapper"]);
        insta::assert_snapshot!(blueprint.secret["begin"]);
        insta::assert_snapshot!(blueprint.secret["interpreter"]);
        insta::assert_snapshot!(blueprint.secret["curl"]);
    }

    #[test]
    fn the_pod_of_an_image_with_the_workers_defaults() {
        let mut image = request("");
        image.spec.run = StepRun::Image(ImageSpec {
            runner: RunnerKind::Pod,
            image: "alpine:3".to_owned(),
            cmd: None,
            entrypoint: Some(vec!["run".to_owned()]),
            command: Some(vec!["--password".to_owned(), "hunter2".to_owned()]),
            manifest: Some(
                json!({"spec": {"containers": [{"name": "main", "tty": true}], "nodeSelector": {"disk": "ssd"}}}),
            ),
        });
        image.spec.env.insert("TOKEN".to_owned(), "hunter2".to_owned());
        image.spec.secrets = vec![Secret::new("hunter2".to_owned())];
        let mut options = options();
        options.defaults.service_account = Some("steps".to_owned());
        options.defaults.node_selector.insert("arch".to_owned(), "arm64".to_owned());
        options.defaults.tolerations = vec![json!({"operator": "Exists"})];
        options.defaults.pull_secrets = vec!["registry".to_owned()];
        let blueprint = Blueprint::new(&image, &options, "n0nce").expect("a pod");
        insta::assert_yaml_snapshot!(blueprint.pod);
        let texts: Vec<&str> = blueprint.secret.values().map(String::as_str).collect();
        assert_eq!(texts, ["run", "--password", "hunter2", "hunter2"]);
    }

    #[test]
    fn an_image_without_texts_of_its_author_needs_no_secret() {
        let mut image = request("");
        image.spec.run = StepRun::Image(ImageSpec {
            runner: RunnerKind::Pod,
            image: "alpine:3".to_owned(),
            cmd: None,
            entrypoint: None,
            command: None,
            manifest: None,
        });
        assert!(blueprint(&image).secret.is_empty());
    }

    #[test]
    fn what_a_pod_cannot_take_is_the_users_error() {
        let large = request(&"x".repeat(SECRET_BYTES));
        assert!(refused(&large).contains("a pod can take"), "{}", refused(&large));
        let mut zero = request("true");
        zero.spec.env.insert("A".to_owned(), "\0".to_owned());
        assert_eq!(refused(&zero), "script, args and env cannot hold a zero byte");
        let mut name = request("true");
        name.spec.env.insert("A=B".to_owned(), "1".to_owned());
        assert_eq!(refused(&name), "env: `A=B` cannot be the name of a variable");
    }

    #[test]
    fn no_manifest_changes_who_the_pod_is_and_that_it_runs_once() {
        let mut script = request("true");
        let StepRun::Script(spec) = &mut script.spec.run else { unreachable!() };
        spec.manifest = Some(json!({
            "metadata": {"name": "mine", "namespace": "kube-system", "labels": {"stroem.dev/job": "other", "team": "ops"}},
            "spec": {"restartPolicy": "Always"},
        }));
        let pod = blueprint(&script).pod;
        assert_eq!(pod.metadata.name, Some(names::pod_name(&script)));
        assert_eq!(pod.metadata.namespace.as_deref(), Some("jobs"));
        let labels = pod.metadata.labels.expect("labels");
        assert_eq!(
            (labels["team"].as_str(), &labels["stroem.dev/job"]),
            ("ops", &script.lease.attempt.job.to_string())
        );
        assert_eq!(pod.spec.expect("a spec").restart_policy.as_deref(), Some("Never"));
    }
}
