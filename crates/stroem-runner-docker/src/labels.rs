//! How containers of ours are found again.

use std::collections::HashMap;

use stroem_core::AttemptKey;
use stroem_runner::RunRequest;

/// The attempt, whatever its lease.
pub(crate) const ATTEMPT: &str = "dev.stroem.attempt";
/// The fence of its lease.
pub(crate) const FENCE: &str = "dev.stroem.fence";
/// The worker that started it.
pub(crate) const OWNER: &str = "dev.stroem.owner";

/// The value of [`ATTEMPT`].
pub(crate) fn attempt(key: AttemptKey) -> String {
    format!("{}-{}-{}", key.job, key.step, key.attempt)
}

/// The container's name, unique for ever.
pub(crate) fn name(request: &RunRequest) -> String {
    format!("stroem-{}", request.marker())
}

/// All labels of an attempt's container.
pub(crate) fn all(request: &RunRequest, owner: &str) -> HashMap<String, String> {
    let identity = &request.identity;
    let labels = [
        (ATTEMPT, attempt(request.lease.attempt)),
        (FENCE, request.lease.fence.to_string()),
        (OWNER, owner.to_owned()),
        ("dev.stroem.job", request.lease.attempt.job.to_string()),
        ("dev.stroem.workspace", identity.workspace.to_string()),
        ("dev.stroem.task", identity.task.to_string()),
        ("dev.stroem.step", identity.step.to_string()),
    ];
    labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
