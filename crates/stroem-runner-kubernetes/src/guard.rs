//! What a pod may not have unless the worker's configuration allows it.

use serde_json::Value;

/// What manifests may ask for beyond an ordinary pod.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Privileged containers, added capabilities, unmasked `/proc`.
    pub privileged: bool,
    /// Files and ports of the node.
    pub host_path: bool,
    /// The node's network, processes or shared memory.
    pub host_namespaces: bool,
}

/// The first thing in a pod that is not allowed, with the key that would allow it.
pub(crate) fn refusal(pod: &Value, allowed: Allowed) -> Option<String> {
    let spec = &pod["spec"];
    let found = [
        (!allowed.host_namespaces)
            .then(|| host_namespace(spec))
            .flatten()
            .map(|key| (key, "host_namespaces")),
        (!allowed.host_path).then(|| host_path(spec)).flatten().map(|key| (key, "host_path")),
        (!allowed.privileged).then(|| privileged(spec)).flatten().map(|key| (key, "privileged")),
    ];
    found.into_iter().flatten().next().map(|(what, key)| {
        format!(
            "manifest: {what} is not allowed here (`kubernetes.allow` of the worker does not hold `{key}`)"
        )
    })
}

fn host_namespace(spec: &Value) -> Option<String> {
    ["hostNetwork", "hostPID", "hostIPC"]
        .iter()
        .find(|key| spec[**key] == true)
        .map(|key| format!("`spec.{key}`"))
}

fn host_path(spec: &Value) -> Option<String> {
    let volumes = list(spec, "volumes").find(|volume| !volume["hostPath"].is_null());
    if let Some(volume) = volumes {
        return Some(format!("the volume `{}` with `hostPath`", text(&volume["name"])));
    }
    containers(spec)
        .find(|container| list(container, "ports").any(|port| !port["hostPort"].is_null()))
        .map(|container| format!("`hostPort` of the container `{}`", text(&container["name"])))
}

fn privileged(spec: &Value) -> Option<String> {
    containers(spec).find_map(|container| {
        let context = &container["securityContext"];
        let adds = list(&context["capabilities"], "add").next().is_some();
        let what = if context["privileged"] == true {
            "`privileged`"
        } else if adds {
            "`capabilities.add`"
        } else if context["procMount"] == "Unmasked" {
            "`procMount: Unmasked`"
        } else if context["windowsOptions"]["hostProcess"] == true {
            "`hostProcess`"
        } else {
            return None;
        };
        Some(format!("{what} of the container `{}`", text(&container["name"])))
    })
}

fn containers(spec: &Value) -> impl Iterator<Item = &Value> {
    ["initContainers", "containers", "ephemeralContainers"].into_iter().flat_map(|key| list(spec, key))
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_reaches_the_node_is_refused_unless_it_is_allowed() {
        let all = Allowed { privileged: true, host_path: true, host_namespaces: true };
        for (spec, expected) in [
            (json!({"hostNetwork": true}), "`spec.hostNetwork`"),
            (json!({"hostPID": true}), "`spec.hostPID`"),
            (json!({"hostIPC": true}), "`spec.hostIPC`"),
            (
                json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}),
                "the volume `v` with `hostPath`",
            ),
            (
                json!({"containers": [{"name": "c", "ports": [{"containerPort": 1, "hostPort": 1}]}]}),
                "`hostPort` of the container `c`",
            ),
            (
                json!({"containers": [{"name": "c", "securityContext": {"privileged": true}}]}),
                "`privileged` of the container `c`",
            ),
            (
                json!({"initContainers": [{"name": "i", "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}]}),
                "`capabilities.add` of the container `i`",
            ),
            (
                json!({"containers": [{"name": "c", "securityContext": {"procMount": "Unmasked"}}]}),
                "`procMount: Unmasked` of the container `c`",
            ),
        ] {
            let pod = json!({"spec": spec});
            let refused = refusal(&pod, Allowed::default()).unwrap_or_default();
            assert!(refused.starts_with(&format!("manifest: {expected} is not allowed here")), "{refused}");
            assert_eq!(refusal(&pod, all), None);
        }
    }

    #[test]
    fn an_ordinary_pod_is_not_refused() {
        let pod = json!({"spec": {
            "hostNetwork": false,
            "volumes": [{"name": "v", "emptyDir": {}}],
            "containers": [{"name": "c", "securityContext": {"privileged": false, "runAsUser": 5}}],
        }});
        assert_eq!(refusal(&pod, Allowed::default()), None);
    }
}
