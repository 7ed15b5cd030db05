//! Workers, numbers, health.

use serde::{Deserialize, Serialize};
use stroem_core::{JobId, Timestamp, WorkerId};
use utoipa::ToSchema;

/// A worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkerInfo {
    /// Its id.
    #[schema(value_type = String, format = "uuid")]
    pub id: WorkerId,
    /// Its name.
    pub name: String,
    /// `active`, `draining` or `gone`.
    pub status: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Tags of its config that it cannot serve now.
    pub withdrawn_tags: Vec<WithdrawnTag>,
    /// Takes only steps that ask for all of its custom tags.
    pub exclusive: bool,
    /// How many steps it runs at once.
    pub max_concurrent: u32,
    /// What it runs now.
    pub running: Vec<RunningStep>,
    /// Its program's version.
    pub version: String,
    /// When it registered.
    #[schema(value_type = String, format = "date-time")]
    pub registered_at: Timestamp,
    /// When it was last heard of.
    #[schema(value_type = String, format = "date-time")]
    pub last_seen: Timestamp,
}

/// A tag that a worker withdrew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WithdrawnTag {
    /// The tag.
    pub tag: String,
    /// Why.
    pub reason: String,
}

/// A step that a worker runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunningStep {
    /// The job.
    #[schema(value_type = String, format = "uuid")]
    pub job_id: JobId,
    /// The step's index in the job's plan.
    pub step: u32,
    /// The step's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_name: Option<String>,
    /// The job's task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_name: Option<String>,
    /// The attempt.
    pub attempt: u32,
    /// When it was claimed.
    #[schema(value_type = String, format = "date-time")]
    pub claimed_at: Timestamp,
}

/// Numbers for a dashboard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stats {
    /// Jobs by state.
    #[schema(value_type = Object)]
    pub jobs: std::collections::BTreeMap<String, u64>,
    /// Steps that wait for a worker.
    pub steps_ready: u64,
    /// Steps that run.
    pub steps_running: u64,
    /// Workers that are active.
    pub workers_active: u64,
    /// Steps that the active workers can run at once.
    pub slots: u64,
}

/// The answer of `/healthz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok`.
    pub status: String,
    /// The server's version.
    pub version: String,
}
