//! Shapes of the public API under `/api`. Existing clients read these names; fields are only ever added.

mod auth;
mod history;
mod job;
mod log;
mod task;
mod worker;

pub use auth::{LoginRequest, Me};
pub use history::{Activity, ActivityBucket, Hints, JobHint, TaskRun, TaskStats, WaitingStep};
pub use job::{
    AttemptInfo, CancelResponse, ExplainedWorker, Explanation, JobDetail, JobList, JobListItem, RerunRequest,
    StepInfo,
};
pub use log::{LogChunk, LogHit, LogHits, LogLine, LogMap, LogPage, StepLogs};
pub use task::{
    ExecuteRequest, ExecuteResponse, FileProblem, RefreshResponse, TaskDetail, TaskListItem, WorkspaceInfo,
};
pub use worker::{Health, RunningStep, Stats, WithdrawnTag, WorkerInfo};
