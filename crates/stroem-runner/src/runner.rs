//! The trait.

use std::path::Path;

use async_trait::async_trait;
use stroem_core::{AttemptKey, Outcome, RunnerKind};

use crate::{EventSender, RunRequest, StopReceiver};

/// Why a runner cannot take steps now. Its tag is withdrawn with this reason and it is asked again later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// Runs steps. See the crate's documentation for the contract.
#[async_trait]
pub trait Runner: Send + Sync {
    /// What it runs.
    fn kind(&self) -> RunnerKind;

    /// Whether it can take steps now.
    async fn health(&self) -> Result<(), Unavailable>;

    /// Runs one attempt from preparation to cleanup.
    async fn run(&self, request: RunRequest, events: EventSender, stop: StopReceiver) -> Outcome;

    /// Removes what an attempt left, whoever ran it and wherever it was when its worker died.
    async fn cleanup(&self, attempt: AttemptKey, scratch: &Path);
}
