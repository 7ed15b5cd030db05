//! The `secrets:` map of a workspace.

use serde_json::{Map, Value};

/// Secret values by their path. `Debug` shows paths only. Never serialised.
#[derive(Clone, Default, PartialEq)]
pub struct SecretTree(Map<String, Value>);

impl std::fmt::Debug for SecretTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}
