//! A step that runs an image as it is. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use stroem_core::ImageSpec;
use stroem_runner::RunRequest;

use crate::{KubernetesOptions, blueprint::Parts, manifest::STEP};

/// The image as it is. What its author templated is in the Secret and named in the specification only: the kubelet puts
/// `$(NAME)` in place.
pub(crate) fn image_parts(
    request: &RunRequest,
    options: &KubernetesOptions,
    image: &ImageSpec,
    name: &str,
    limits: &Value,
) -> Parts {
    let mut texts = BTreeMap::new();
    let mut env = Vec::new();
    let mut hidden = |variable: &str, value: &str| {
        let key = format!("env.{}", texts.len());
        env.push(json!({"name": variable, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}));
        texts.insert(key, value.to_owned());
    };
    let mut count = 0;
    let mut argument = |text: &str| {
        let variable = format!("STROEM_ARGUMENT_{count}");
        count += 1;
        hidden(&variable, text);
        format!("$({variable})")
    };
    let mut step = json!({
        "name": STEP,
        "image": image.image,
        "imagePullPolicy": options.defaults.pull_policy,
        "resources": limits,
        "securityContext": {"allowPrivilegeEscalation": false},
    });
    if let Some(entrypoint) = &image.entrypoint {
        step["command"] = entrypoint.iter().map(|text| argument(text)).collect();
    }
    match (&image.cmd, &image.command) {
        (Some(cmd), _) => {
            let shell = json!(["sh", "-c", argument(cmd)]);
            let key = if image.entrypoint.is_some() { "args" } else { "command" };
            step[key] = shell;
        }
        (None, Some(command)) => step["args"] = command.iter().map(|text| argument(text)).collect(),
        (None, None) => {}
    }
    let reserved = request.reserved_env();
    let is_reserved = |name: &str| reserved.iter().any(|(known, _)| *known == name);
    let given: BTreeMap<&String, &String> = request.passed_env.iter().chain(&request.spec.env).collect();
    given.into_iter().filter(|(name, _)| !is_reserved(name)).for_each(|(name, value)| hidden(name, value));
    // Who the step is is no secret.
    env.extend(reserved.iter().map(|(name, value)| json!({"name": name, "value": escaped(value)})));
    step["env"] = env.into();
    if let Some(workdir) = &request.spec.workdir {
        step["workingDir"] = workdir.as_str().into();
    }
    let mut containers = Map::new();
    containers.insert("containers".to_owned(), json!([step]));
    Parts { containers, volumes: Vec::new(), texts }
}

/// A value that the kubelet leaves as it is.
fn escaped(value: &str) -> String {
    value.replace("$(", "$$(")
}
