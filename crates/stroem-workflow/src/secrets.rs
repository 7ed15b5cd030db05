//! The `secrets:` map of a workspace.

use serde_json::{Map, Value};
use stroem_core::limits;

/// Secret values by their path. `Debug` shows paths only. Never serialised.
#[derive(Clone, Default, PartialEq)]
pub struct SecretTree(Map<String, Value>);

impl std::fmt::Debug for SecretTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl SecretTree {
    /// From a nested map whose leaves are texts; other leaves are left out, as they cannot be masked.
    pub fn new(values: Map<String, Value>) -> Self {
        Self(values)
    }

    /// Every secret with its path, such as `database.password`.
    pub fn values(&self) -> impl Iterator<Item = (String, &str)> {
        let mut found = Vec::new();
        collect(&self.0, "", &mut found);
        found.into_iter()
    }

    /// Whether there are no secrets.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a path names a secret or a map of secrets.
    pub(crate) fn contains(&self, path: &[&str]) -> bool {
        let Some((first, rest)) = path.split_first() else { return true };
        rest.iter()
            .try_fold(self.0.get(*first), |value, part| Some(value?.as_object()?.get(*part)))
            .flatten()
            .is_some()
    }

    /// The names on one level, for suggestions.
    pub(crate) fn names(&self, path: &[&str]) -> Vec<&str> {
        let mut level = Some(&self.0);
        for part in path {
            level = level.and_then(|map| map.get(*part)).and_then(Value::as_object);
        }
        level.map(|map| map.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    /// The map as templates see it.
    pub(crate) fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    pub(crate) fn as_map_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.0
    }
}

/// Whether a text is too short to be masked without masking half of the log.
pub(crate) fn is_too_short(text: &str) -> bool {
    text.chars().count() < limits::SECRET_LENGTH_MIN
}

fn collect<'t>(map: &'t Map<String, Value>, prefix: &str, found: &mut Vec<(String, &'t str)>) {
    for (key, value) in map {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Object(inner) => collect(inner, &path, found),
            Value::String(text) => found.push((path, text)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {}
        }
    }
}
