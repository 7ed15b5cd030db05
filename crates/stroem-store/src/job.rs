//! Jobs: creation, commits, and reads.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};
use stroem_core::{AttemptNumber, Fence, JobId, JobStatus, Outcome, Timestamp, WorkerId};
use stroem_engine::{Batch, BatchResult, Footprint, JobRow, Loaded, StepRow, TimerRow};
use stroem_workflow::{Plan, PlanHash};

use crate::StoreError;

/// A job to create.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// A [`Batch::create`] of the job.
    pub batch: Batch,
    /// The job's id, as in the batch.
    pub job: JobId,
    /// Its input as it is stored (secret fields encrypted); loaded when a footprint asks for it.
    pub input: Map<String, Value>,
    /// The plan's stored form.
    pub plan_json: Arc<str>,
    /// Its hash; a plan that is already stored is not written again.
    pub plan_hash: PlanHash,
}

/// What a commit came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Committed {
    /// Effects and answers; the changes are written.
    pub result: BatchResult,
    /// Rows read for the batch: the job, its input, steps and results, each counted as one.
    pub rows_read: u64,
}

/// Jobs and their steps, attempts, queue rows, leases and timers.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Writes a new job with its plan. The answer comes when it is durable.
    async fn create(&self, job: NewJob) -> Result<Committed, StoreError>;

    /// Drives the batch to its end and writes its changes, in one transaction. Nothing is written when the batch changes
    /// nothing. [`StoreError::NoSuchJob`] when the job does not exist.
    async fn commit(&self, job: JobId, batch: Batch) -> Result<Committed, StoreError>;

    /// Reads the rows of a footprint, outside any transaction of a commit.
    async fn load(&self, job: JobId, footprint: &Footprint) -> Result<Loaded, StoreError>;

    /// A plan by its hash.
    async fn plan(&self, hash: PlanHash) -> Result<Option<Arc<Plan>>, StoreError>;

    /// A job's row.
    async fn job(&self, job: JobId) -> Result<Option<JobRow>, StoreError>;

    /// A job with its input and all steps.
    async fn detail(&self, job: JobId) -> Result<Option<JobDetail>, StoreError>;

    /// One step with its attempts.
    async fn step(&self, job: JobId, step: u32) -> Result<Option<StepDetail>, StoreError>;

    /// Jobs, newest first: by id, as ids sort by creation.
    async fn list(&self, filter: &JobFilter) -> Result<JobPage, StoreError>;

    /// How many jobs are in each state, and how many steps are ready and running. As in the list, a job with a stop
    /// request counts as its final state. Cheap however many jobs there were.
    async fn counts(&self) -> Result<JobCounts, StoreError>;

    /// Timers that are due, earliest first, at most `limit`.
    async fn due_timers(&self, now: Timestamp, limit: u32) -> Result<Vec<TimerRow>, StoreError>;

    /// When the earliest timer is due.
    async fn next_timer(&self) -> Result<Option<Timestamp>, StoreError>;
}

/// One line of the job list.
#[derive(Debug, Clone, PartialEq)]
pub struct JobSummary {
    /// The job's row.
    pub job: JobRow,
}

/// A page of the job list.
#[derive(Debug, Clone, PartialEq)]
pub struct JobPage {
    /// The jobs.
    pub items: Vec<JobSummary>,
    /// How many there are on all pages together.
    pub total: u64,
}

/// Which jobs to list. Empty fields match all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Jobs of this workspace.
    pub workspace: Option<String>,
    /// Jobs of this task.
    pub task: Option<String>,
    /// Jobs in this state. A job with a stop request counts as its final state, as the API shows it.
    pub status: Option<JobStatus>,
    /// Jobs from this kind of source.
    pub source_type: Option<String>,
    /// Jobs whose id, task or source contains this text, in any case of letters.
    pub search: Option<String>,
    /// How many to give, at most [`stroem_core::limits::JOB_PAGE`].
    pub limit: u32,
    /// How many to pass over.
    pub offset: u32,
}

/// A job with everything that its page shows.
#[derive(Debug, Clone, PartialEq)]
pub struct JobDetail {
    /// The job's row.
    pub job: JobRow,
    /// Its input as it is stored.
    pub input: Map<String, Value>,
    /// Its steps in order of the plan.
    pub steps: Vec<StepView>,
}

/// A step with its data.
#[derive(Debug, Clone, PartialEq)]
pub struct StepView {
    /// The step's row.
    pub row: StepRow,
    /// Its rendered input, secrets hidden.
    pub input: Option<Map<String, Value>>,
    /// Its output.
    pub output: Option<Value>,
    /// Its attempts, oldest first.
    pub attempts: Vec<AttemptView>,
}

/// A step on its own.
#[derive(Debug, Clone, PartialEq)]
pub struct StepDetail {
    /// The job's row.
    pub job: JobRow,
    /// The step.
    pub step: StepView,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptView {
    /// Its number.
    pub attempt: AttemptNumber,
    /// The fence of its lease.
    pub fence: Fence,
    /// The worker that claimed it.
    pub worker: WorkerId,
    /// When it became ready.
    pub ready_at: Timestamp,
    /// When it was claimed.
    pub claimed_at: Timestamp,
    /// When its process started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

/// Numbers for `GET /api/stats`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// Jobs by state.
    pub jobs: Vec<(JobStatus, u64)>,
    /// Steps that wait for a worker.
    pub ready_steps: u64,
    /// Steps with a lease.
    pub running_steps: u64,
}
