//! Merges a user's `manifest` into a pod: maps merge, lists of named objects merge by `name`, the rest replaces.

use serde_json::{Map, Value};
use stroem_core::Outcome;

use crate::script::invalid;

/// The name of the step's container.
pub(crate) const STEP: &str = "step";
/// What people may call it.
const ALIAS: &str = "main";

/// Lays the user's manifest over a pod.
pub(crate) fn apply(pod: &mut Value, mut manifest: Value) -> Result<(), Outcome> {
    let Some(map) = manifest.as_object_mut() else { return Err(invalid("manifest: it is not a map")) };
    map.retain(|key, _| !matches!(key.as_str(), "apiVersion" | "kind"));
    if let Some(key) = map.keys().find(|key| !matches!(key.as_str(), "metadata" | "spec")) {
        return Err(invalid(&format!(
            "manifest: a pod has `metadata` and `spec`, not `{key}` (did you mean `spec.{key}`?)"
        )));
    }
    resolve_alias(&mut manifest);
    spell_quantities(&mut manifest);
    merge(pod, manifest);
    Ok(())
}

/// Lays `over` on `base`.
fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => merge_maps(base, over),
        (Value::Array(base), Value::Array(over)) if is_named(base) && is_named(&over) => {
            merge_named(base, over);
        }
        (base, over) => *base = over,
    }
}

/// Calls the container `main` of a manifest by its real name.
fn resolve_alias(manifest: &mut Value) {
    let containers = manifest.pointer_mut("/spec/containers").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten() {
        if container.get("name").and_then(Value::as_str) == Some(ALIAS) {
            container["name"] = STEP.into();
        }
    }
}

/// Writes amounts as texts: YAML reads `cpu: 1` as a number, and Kubernetes takes either.
fn spell_quantities(manifest: &mut Value) {
    for list in ["/spec/containers", "/spec/initContainers"] {
        let containers = manifest.pointer_mut(list).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            for kind in ["/resources/limits", "/resources/requests"] {
                let amounts = container.pointer_mut(kind).and_then(Value::as_object_mut);
                for amount in
                    amounts.into_iter().flat_map(Map::values_mut).filter(|amount| amount.is_number())
                {
                    *amount = amount.to_string().into();
                }
            }
        }
    }
}

/// Whether a text is anywhere in a value.
pub(crate) fn holds(value: &Value, secret: &str) -> bool {
    match value {
        Value::String(text) => text.contains(secret),
        Value::Array(values) => values.iter().any(|value| holds(value, secret)),
        Value::Object(map) => map.iter().any(|(key, value)| key.contains(secret) || holds(value, secret)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A path in `wanted` that `got` does not have: what a typed reading of it dropped.
pub(crate) fn lost(wanted: &Value, got: &Value, path: &str) -> Option<String> {
    match (wanted, got) {
        (Value::Object(wanted), Value::Object(got)) => wanted.iter().find_map(|(key, value)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match got.get(key) {
                None if value.is_null() => None,
                None => Some(path),
                Some(got) => lost(value, got, &path),
            }
        }),
        (Value::Array(wanted), Value::Array(got)) => wanted
            .iter()
            .enumerate()
            .find_map(|(index, value)| lost(value, got.get(index)?, &format!("{path}[{index}]"))),
        _ => None,
    }
}

fn merge_maps(base: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match base.get_mut(&key) {
            Some(present) => merge(present, value),
            None => drop(base.insert(key, value)),
        }
    }
}

fn merge_named(base: &mut Vec<Value>, over: Vec<Value>) {
    // What comes twice, such as two mounts of one volume, is there twice.
    let known = base.len();
    for value in over {
        match base[..known].iter_mut().find(|present| present.get("name") == value.get("name")) {
            Some(present) => merge(present, value),
            None => base.push(value),
        }
    }
}

fn is_named(list: &[Value]) -> bool {
    list.iter().all(|value| value.get("name").is_some_and(Value::is_string))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(mut base: Value, mut over: Value, expected: &Value) {
        resolve_alias(&mut over);
        merge(&mut base, over);
        assert_eq!(base, *expected);
    }

    #[test]
    fn maps_merge_and_other_values_replace() {
        check(
            json!({"a": {"b": 1, "c": 2}, "d": [1]}),
            json!({"a": {"c": 3, "e": 4}, "d": [2, 3]}),
            &json!({"a": {"b": 1, "c": 3, "e": 4}, "d": [2, 3]}),
        );
    }

    #[test]
    fn named_objects_merge_by_name_and_main_is_the_step() {
        let base = json!({"spec": {"containers": [{"name": "step", "image": "a", "env": [{"name": "A", "value": "1"}]}]}});
        let over = json!({"spec": {"containers": [
            {"name": "main", "tty": true, "env": [{"name": "B", "value": "2"}, {"name": "A", "value": "3"}]},
            {"name": "proxy", "image": "p"},
        ]}});
        let expected = json!({"spec": {"containers": [
            {"name": "step", "image": "a", "tty": true, "env": [{"name": "A", "value": "3"}, {"name": "B", "value": "2"}]},
            {"name": "proxy", "image": "p"},
        ]}});
        check(base, over, &expected);
    }

    #[test]
    fn what_comes_twice_under_a_name_stays_twice() {
        check(
            json!([{"name": "a", "x": 1}]),
            json!([{"name": "b", "at": "/1"}, {"name": "b", "at": "/2"}, {"name": "a", "y": 2}]),
            &json!([{"name": "a", "x": 1, "y": 2}, {"name": "b", "at": "/1"}, {"name": "b", "at": "/2"}]),
        );
    }

    #[test]
    fn amounts_may_be_numbers() {
        let mut manifest = json!({"spec": {"containers": [{"name": "main", "resources": {"limits": {"cpu": 1, "memory": "1Gi"}}}]}});
        spell_quantities(&mut manifest);
        let limits = &manifest["spec"]["containers"][0]["resources"]["limits"];
        assert_eq!(*limits, json!({"cpu": "1", "memory": "1Gi"}));
    }

    #[test]
    fn what_a_typed_reading_drops_is_named() {
        let wanted = json!({"spec": {"containers": [{"name": "a", "imagee": "x"}], "nothing": null}});
        let got = json!({"spec": {"containers": [{"name": "a"}]}});
        assert_eq!(lost(&wanted, &got, "").as_deref(), Some("spec.containers[0].imagee"));
        assert_eq!(lost(&got, &got, ""), None);
    }
}
