//! The long poll: claims and kills, the moment they exist.

use serde::{Deserialize, Serialize};
use stroem_core::{
    HumanDuration, LeaseKey, Revision, Runtime, Secret, StepName, StepSpec, TaskName, Timestamp,
    WorkspaceName,
};

/// What the worker holds and can take. A newer poll of the same session ends an older one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollRequest {
    /// Every lease it holds, those included whose end is not acknowledged yet. Claims that the server knows and the
    /// worker does not are sent again; leases that the server does not know come back in [`PollResponse::lost`].
    pub held: Vec<LeaseKey>,
    /// Those of `held` that it is stopping already, or knows to be over: they are not named again in
    /// [`PollResponse::kills`] and [`PollResponse::lost`]. A kill whose reply was lost is thus sent again, and one that
    /// arrived is not.
    pub stopping: Vec<LeaseKey>,
    /// How many more steps it can take; 0 while it drains.
    pub free_slots: u32,
    /// Platforms whose running attempts it can take over, see [`stroem_core::Runtime::scope`].
    #[serde(default)]
    pub scopes: Vec<String>,
    /// How long to hold the call open when there is nothing to say, in milliseconds.
    pub wait_ms: u64,
}

/// The answer to a poll.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollResponse {
    /// Steps to run.
    pub claims: Vec<ClaimedStep>,
    /// Attempts to stop and then to report.
    pub kills: Vec<Kill>,
    /// Leases that are over: stop and forget.
    pub lost: Vec<LeaseKey>,
}

/// A step to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimedStep {
    /// Its lease.
    pub lease: LeaseKey,
    /// Its workspace.
    pub workspace: WorkspaceName,
    /// The workspace's revision.
    pub revision: Revision,
    /// Its task.
    pub task: TaskName,
    /// Its name.
    pub step: StepName,
    /// When it became ready.
    pub ready_at: Timestamp,
    /// What to run.
    pub spec: StepSpec,
    /// Opens [`download_path`] of this step's revision, for pods, as long as the lease lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download_token: Option<Secret>,
    /// Set when it runs already: its worker is gone, and this one takes it over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<Adopted>,
}

/// A running attempt that a worker takes over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    /// Where it runs.
    pub runtime: Runtime,
    /// For how long its command has been running, in milliseconds; none when it is not known to have begun.
    pub running_ms: Option<u64>,
    /// What of its log is stored: the adopter drops as much of what it reads.
    pub log: StoredLog,
}

/// How much of an attempt's log is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredLog {
    /// The number of the next chunk.
    pub next_seq: u64,
    /// Bytes of all lines, as chunks count them.
    pub raw_bytes: u64,
    /// Lines of standard output.
    pub stdout_lines: u64,
    /// Lines of standard error.
    pub stderr_lines: u64,
}

/// Where a download token gets a revision's files as a plain tarball, below the server's address.
pub fn download_path(workspace: &WorkspaceName, revision: &Revision) -> String {
    let name = crate::client::encode_segment(workspace.as_str());
    format!("/worker/workspaces/{name}/{revision}/tar")
}

/// An attempt to stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kill {
    /// Its lease.
    pub lease: LeaseKey,
    /// Set when its time ran out; the attempt then ends as timed out instead of cancelled.
    pub timed_out: Option<HumanDuration>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_poll_of_protocol_1_is_read() {
        let poll = json!({"held": [], "stopping": [], "free_slots": 2, "wait_ms": 5});
        let poll: PollRequest = serde_json::from_value(poll).expect("readable");
        assert_eq!((poll.scopes, poll.free_slots), (Vec::<String>::new(), 2));
    }
}
