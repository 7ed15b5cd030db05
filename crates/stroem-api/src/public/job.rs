//! Jobs, steps, attempts.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stroem_core::{JobId, JobStatus, StepStatus, Timestamp, WorkerId};
use utoipa::ToSchema;

/// One line of the job list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobListItem {
    /// Its id.
    #[schema(value_type = String, format = "uuid")]
    pub job_id: JobId,
    /// Its workspace.
    pub workspace: String,
    /// Its task.
    pub task_name: String,
    /// `distributed`.
    pub mode: String,
    /// Its state; `cancelled` from the moment a cancellation is taken.
    #[schema(value_type = String)]
    pub status: JobStatus,
    /// Who asked for it.
    pub source_type: String,
    /// Which one.
    pub source_id: Option<String>,
    /// The workspace's revision that it runs.
    pub revision: String,
    /// RFC 3339, UTC.
    #[schema(value_type = String, format = "date-time")]
    pub created_at: Timestamp,
    /// When its first step was claimed.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub started_at: Option<Timestamp>,
    /// When its last step ended.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub completed_at: Option<Timestamp>,
    /// Grows with every change of the job.
    pub version: i64,
}

/// A page of jobs, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobList {
    /// The jobs.
    pub items: Vec<JobListItem>,
    /// How many there are in all.
    pub total: u64,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobDetail {
    /// Its id.
    #[schema(value_type = String, format = "uuid")]
    pub job_id: JobId,
    /// Its workspace.
    pub workspace: String,
    /// Its task.
    pub task_name: String,
    /// `distributed`.
    pub mode: String,
    /// Its state; `cancelled` from the moment a cancellation is taken.
    #[schema(value_type = String)]
    pub status: JobStatus,
    /// Who asked for it.
    pub source_type: String,
    /// Which one.
    pub source_id: Option<String>,
    /// The workspace's revision that it runs.
    pub revision: String,
    /// RFC 3339, UTC.
    #[schema(value_type = String, format = "date-time")]
    pub created_at: Timestamp,
    /// When its first step was claimed.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub started_at: Option<Timestamp>,
    /// When its last step ended.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub completed_at: Option<Timestamp>,
    /// Grows with every change of the job.
    pub version: i64,
    /// Its input, secret fields masked.
    #[schema(value_type = Object)]
    pub input: Map<String, Value>,
    /// The outputs of its terminal steps by name, once it ended.
    #[schema(value_type = Option<Object>)]
    pub output: Option<Value>,
    /// Why it failed as a whole.
    pub error_message: Option<String>,
    /// When a stop was asked for.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub stop_requested_at: Option<Timestamp>,
    /// The job that called it as a step.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "uuid")]
    pub parent_job_id: Option<JobId>,
    /// The job that it repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "uuid")]
    pub retry_of_job_id: Option<JobId>,
    /// Its steps in order of writing.
    pub steps: Vec<StepInfo>,
}

/// A step of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StepInfo {
    /// Its name.
    pub step_name: String,
    /// The action it refers to; the step's own name when it is inline.
    pub action_name: String,
    /// `script`, `docker`, `pod`, ...
    pub action_type: String,
    /// `local`, `docker`, `pod`; none for what the server runs itself.
    pub runner: Option<String>,
    /// Steps that must end first.
    pub depends_on: Vec<String>,
    /// Its rendered input, secrets masked.
    #[schema(value_type = Option<Object>)]
    pub input: Option<Map<String, Value>>,
    /// Its output.
    pub output: Option<Value>,
    /// Its state.
    #[schema(value_type = String)]
    pub status: StepStatus,
    /// The worker of its newest attempt.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub worker_id: Option<WorkerId>,
    /// When the process of its newest attempt started.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub completed_at: Option<Timestamp>,
    /// Why it failed or was skipped.
    pub error_message: Option<String>,
    /// The number of its newest attempt; 0 before the first.
    pub attempt: u32,
    /// Its attempts, oldest first.
    pub attempts: Vec<AttemptInfo>,
    /// How it ended: `{cause, exit_code?, signal?, ...evidence}`.
    #[schema(value_type = Option<Object>)]
    pub outcome: Option<Value>,
    /// Tags that a worker needs to claim it.
    pub required_tags: Vec<String>,
    /// When it last became ready.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub ready_at: Option<Timestamp>,
    /// Whether the job may succeed although it failed.
    pub continue_on_failure: bool,
}

/// One attempt of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AttemptInfo {
    /// Its number, from 1.
    pub attempt: u32,
    /// The worker that claimed it.
    #[schema(value_type = String, format = "uuid")]
    pub worker_id: WorkerId,
    /// When it became ready.
    #[schema(value_type = String, format = "date-time")]
    pub ready_at: Timestamp,
    /// When it was claimed.
    #[schema(value_type = String, format = "date-time")]
    pub claimed_at: Timestamp,
    /// When its process started.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    #[schema(value_type = Option<Object>)]
    pub outcome: Option<Value>,
}

/// What to run a job's task again with.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RerunRequest {
    /// Another input; the job's own when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub input: Option<Map<String, Value>>,
}

/// The answer to a cancellation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CancelResponse {
    /// `cancelled`.
    pub status: String,
}

/// Why a step is where it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// The step's name.
    pub step_name: String,
    /// Its state.
    #[schema(value_type = String)]
    pub status: StepStatus,
    /// One sentence for people.
    pub summary: String,
    /// Steps that it waits for, with their states.
    #[schema(value_type = Object)]
    pub waits_for: Vec<(String, StepStatus)>,
    /// Tags that a worker needs.
    pub required_tags: Vec<String>,
    /// Every active worker, and what it lacks.
    pub workers: Vec<ExplainedWorker>,
    /// How many ready steps of the same queue are claimed before it.
    pub ahead: Option<u64>,
    /// When it will fail if no worker with its tags comes.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub fails_at: Option<Timestamp>,
    /// Its log's last lines, when it failed.
    pub last_lines: Vec<String>,
}

/// A worker seen from a waiting step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExplainedWorker {
    /// Its name.
    pub name: String,
    /// Tags of the step that it does not have.
    pub missing_tags: Vec<String>,
    /// How many steps it can still take.
    pub free_slots: u32,
    /// Why it takes none, such as `drains`.
    pub remark: Option<String>,
}
