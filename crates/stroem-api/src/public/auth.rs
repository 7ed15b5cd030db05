//! Who somebody is.

use serde::{Deserialize, Serialize};
use stroem_core::Secret;
use utoipa::ToSchema;

/// A token, to be exchanged for a session.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// The token.
    #[schema(value_type = String)]
    pub token: Secret,
}

impl Default for LoginRequest {
    fn default() -> Self {
        Self { token: Secret::new(String::new()) }
    }
}

/// Who the server takes the caller for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The token's name; none when the server asks nobody for a token.
    pub name: Option<String>,
    /// `read`, `run` or `admin`.
    pub role: String,
}
