//! The rows an event reads. They carry counters instead of lists, so that one row tells what a transition needs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stroem_core::{
    AttemptNumber, Fence, JobId, JobStatus, Outcome, Revision, StepStatus, TagSet, TaskName, Timestamp,
    WorkerId, WorkspaceName,
};
use stroem_workflow::{PlanHash, StepResult};

/// Who asked for a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// `api`, `user`, `trigger`, `webhook`, `hook`, `task`, `mcp`, `event_source`, `retry`, `rerun`, `restart`.
    pub source_type: String,
    /// Which one, such as a user's or a trigger's name.
    pub source_id: Option<String>,
}

/// Why a job is being stopped before its steps are through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStop {
    /// Somebody cancelled it.
    Cancelled,
    /// Its time ran out.
    TimedOut,
}

/// A job without its input, which is loaded only where a template needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    /// The job.
    pub id: JobId,
    /// Its workspace.
    pub workspace: WorkspaceName,
    /// Its task.
    pub task: TaskName,
    /// The workspace's revision, pinned at creation.
    pub revision: Revision,
    /// The plan, pinned at creation.
    pub plan: PlanHash,
    /// Who asked for it.
    pub source: Source,
    /// Its state.
    pub status: JobStatus,
    /// Grows by at least one with every commit and every claim: the cursor of page updates.
    pub version: i64,
    /// Larger is claimed earlier.
    pub priority: i32,
    /// Steps that are not terminal.
    pub open_steps: u32,
    /// Steps that failed in a way that fails the job.
    pub failed_steps: u32,
    /// Steps that were skipped.
    pub skipped_steps: u32,
    /// Set while or after a stop.
    pub stop: Option<JobStop>,
    /// When the stop was asked for.
    pub stop_requested_at: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its first step was claimed.
    pub started_at: Option<Timestamp>,
    /// When it became terminal.
    pub completed_at: Option<Timestamp>,
    /// Why it failed as a whole, such as its time-out; failures of steps are on the steps.
    pub error: Option<String>,
}

/// A step without its output; outputs are loaded as [`StepResult`] where a template refers to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRow {
    /// The step's index in the plan.
    pub step: u32,
    /// Its state.
    pub status: StepStatus,
    /// Dependencies that are not terminal yet.
    pub unmet_deps: u32,
    /// Dependencies that were skipped.
    pub skipped_deps: u32,
    /// Dependencies that failed or were cancelled.
    pub failed_deps: u32,
    /// The newest attempt that was claimed; 0 before the first.
    pub attempt: AttemptNumber,
    /// The fence of that attempt's newest lease.
    pub fence: Option<Fence>,
    /// The worker of that lease.
    pub worker: Option<WorkerId>,
    /// How often the platform's fault queued it again.
    pub requeues: u32,
    /// When it last became ready.
    pub ready_at: Option<Timestamp>,
    /// When the process of the newest attempt started.
    pub started_at: Option<Timestamp>,
    /// When it became terminal.
    pub completed_at: Option<Timestamp>,
    /// How it ended; none for steps that were skipped or cancelled before a claim.
    pub outcome: Option<Outcome>,
    /// Why it failed or was skipped, in one sentence.
    pub error: Option<String>,
}

impl StepRow {
    /// A step of a job that was just created.
    pub fn new(step: u32, dependencies: u32) -> Self {
        Self {
            step,
            status: StepStatus::Pending,
            unmet_deps: dependencies,
            skipped_deps: 0,
            failed_deps: 0,
            attempt: AttemptNumber(0),
            fence: None,
            worker: None,
            requeues: 0,
            ready_at: None,
            started_at: None,
            completed_at: None,
            outcome: None,
            error: None,
        }
    }
}

/// A ready step as workers find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueRow {
    /// The job.
    pub job: JobId,
    /// The step.
    pub step: u32,
    /// The tags a worker must have: the queue's key.
    pub tags: TagSet,
    /// Larger is claimed earlier.
    pub priority: i32,
    /// Within a priority the oldest is claimed first.
    pub ready_at: Timestamp,
    /// A worker that should not take it again, because its disk was full.
    pub avoid_worker: Option<WorkerId>,
}

/// The rows of a footprint as the store found them.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The job.
    pub job: JobRow,
    /// The job's input, when the footprint asked for it; secret fields as they are stored.
    pub job_input: Option<Map<String, Value>>,
    /// The asked-for steps.
    pub steps: BTreeMap<u32, StepRow>,
    /// The asked-for results.
    pub results: BTreeMap<u32, StepResult>,
}
