//! Where an attempt runs outside of its worker, so that another worker can take it over.

use serde::{Deserialize, Serialize};

/// A running container or pod, as those who can reach it find it. Only the runner that wrote it reads the handle.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Runtime {
    /// The platform among all platforms: an engine's id, or a cluster and a namespace. Workers that name the same scope
    /// reach the same things.
    pub scope: String,
    /// The thing on that platform.
    pub handle: String,
    /// Where its output can be read on from, when the platform does not keep it from its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
}

/// A place in an attempt's output at which a new reader can begin: between two lines, and with no secret begun.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mark {
    /// The place; only the runner that wrote it reads it.
    pub place: String,
    /// Lines of standard output before it.
    pub stdout_lines: u64,
    /// Lines of standard error before it.
    pub stderr_lines: u64,
}
