//! What happened lately, and what waits now.

use serde::{Deserialize, Serialize};
use stroem_core::{JobId, JobStatus, Timestamp};
use utoipa::ToSchema;

/// A task's newest jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskStats {
    /// How many jobs the task had in all.
    pub total: u64,
    /// The median duration of the completed ones among `runs`.
    pub p50_ms: Option<u64>,
    /// Their 95th percentile.
    pub p95_ms: Option<u64>,
    /// The newest, newest first.
    pub runs: Vec<TaskRun>,
}

/// A job of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskRun {
    /// The job.
    #[schema(value_type = String, format = "uuid")]
    pub job_id: JobId,
    /// Its state.
    #[schema(value_type = String)]
    pub status: JobStatus,
    /// RFC 3339, UTC.
    #[schema(value_type = String, format = "date-time")]
    pub created_at: Timestamp,
    /// From its creation to the claim of its first step.
    pub queue_ms: Option<u64>,
    /// From the claim of its first step to its end.
    pub duration_ms: Option<u64>,
}

/// Throughput and queue times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Activity {
    /// Oldest first, all of the same width.
    pub buckets: Vec<ActivityBucket>,
    /// Whether only the newest jobs were counted.
    pub cut: bool,
}

/// A stretch of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActivityBucket {
    /// Its beginning.
    #[schema(value_type = String, format = "date-time")]
    pub at: Timestamp,
    /// Jobs that completed in it.
    pub completed: u64,
    /// Jobs that failed in it.
    pub failed: u64,
    /// Jobs that ended otherwise in it.
    pub other: u64,
    /// The median queue time of jobs that started in it.
    pub queue_p50_ms: Option<u64>,
    /// Its 95th percentile.
    pub queue_p95_ms: Option<u64>,
}

/// A ready step that no worker has claimed yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WaitingStep {
    /// Its job.
    #[schema(value_type = String, format = "uuid")]
    pub job_id: JobId,
    /// The job's workspace.
    pub workspace: String,
    /// The job's task.
    pub task_name: String,
    /// Its name.
    pub step_name: String,
    /// Tags that a worker needs.
    pub required_tags: Vec<String>,
    /// When it became ready.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub ready_at: Option<Timestamp>,
    /// What it waits for, in a sentence.
    pub summary: String,
    /// Whether a connected worker will take it when it has a slot.
    pub has_worker: bool,
}

/// What a page should ask for again: the data of the event `changes` of `/api/events`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Hints {
    /// Jobs that were created or changed, each once with its newest version.
    pub jobs: Vec<JobHint>,
    /// Whether workers came, went, drain or were heard of.
    pub workers: bool,
    /// Whether a workspace has a new revision.
    pub workspaces: bool,
    /// Whether the log of the job that was asked for grew.
    pub log: bool,
    /// Whether changes were missed, so that everything should be asked for again.
    pub all: bool,
}

/// A job that changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobHint {
    /// The job.
    #[schema(value_type = String, format = "uuid")]
    pub job_id: JobId,
    /// Its version.
    pub version: i64,
    /// Its state in the engine; a job that is being stopped still runs.
    #[schema(value_type = String)]
    pub status: JobStatus,
}
