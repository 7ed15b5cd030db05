//! What can go wrong in a use case. Expected errors have a stable code and a remedy; the rest is a store's failure.

use stroem_core::JobStatus;
use stroem_store::StoreError;
use stroem_workflow::{Diagnostic, InputProblem, PlanError};

/// Why a use case did not happen.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// No workspace of that name.
    #[error("there is no workspace `{0}`; the server's config lists them under `workspaces`")]
    NoSuchWorkspace(String),
    /// The workspace's files cannot be read.
    #[error("the workspace `{workspace}` cannot be read: {message}")]
    WorkspaceUnreadable {
        /// The workspace.
        workspace: String,
        /// What is wrong.
        message: String,
    },
    /// No task of that name.
    #[error("there is no task `{task}` in the workspace `{workspace}`{}", suggestion.as_ref().map(|s| format!("; did you mean `{s}`?")).unwrap_or_default())]
    NoSuchTask {
        /// The workspace.
        workspace: String,
        /// The name asked for.
        task: String,
        /// A similar one.
        suggestion: Option<String>,
    },
    /// The task's files have errors.
    #[error("the task `{task}` is out of service: its files have {} error(s)", diagnostics.len())]
    TaskBroken {
        /// The task.
        task: String,
        /// The errors.
        diagnostics: Vec<Diagnostic>,
    },
    /// The task uses what this version cannot run.
    #[error("the task `{task}` cannot run in this version: {}", reasons.join("; "))]
    Unsupported {
        /// The task.
        task: String,
        /// One sentence per construct.
        reasons: Vec<String>,
    },
    /// The input does not fit the task's schema.
    #[error("the input has {} problem(s): {}", .0.len(), .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    InvalidInput(Vec<InputProblem>),
    /// No job of that id.
    #[error("there is no such job")]
    NoSuchJob,
    /// The job has no step of that name.
    #[error("the job has no step `{0}`")]
    NoSuchStep(String),
    /// The job has ended, or is already being stopped.
    #[error("the job is already {0}")]
    JobEnded(JobStatus),
    /// Not a log cursor.
    #[error(
        "`{0}` is not a log cursor: use the `next_cursor` of an earlier answer, or none for the beginning"
    )]
    BadCursor(String),
    /// Not a known worker.
    #[error("there is no such worker")]
    NoSuchWorker,
    /// The worker token is wrong.
    #[error("the worker token is not the server's: set `worker_token` to the same value in both configs")]
    BadWorkerToken,
    /// The session is unknown or over.
    #[error("the worker's session is not known: register again")]
    NoSession,
    /// The token is not for what was asked, or its lease is over.
    #[error("the download token is not valid for this revision: it is as long as the step's lease lasts")]
    BadDownloadToken,
    /// The servers of a database have another key.
    #[error(
        "{} is not the key with which the other servers of this database seal secret inputs: copy theirs to it, or name \
         a copy with `key_file`",
        file.display()
    )]
    OtherKey {
        /// Where this server's key lies.
        file: std::path::PathBuf,
    },
    /// Another instance of that name is alive.
    #[error("a worker named `{0}` is already connected: give each worker its own `worker_name`")]
    WorkerNameTaken(String),
    /// The worker speaks a protocol that the server does not.
    #[error(
        "the worker speaks protocol {worker}, this server {server} and the one before: use builds of the same or the next version"
    )]
    Protocol {
        /// The worker's.
        worker: u32,
        /// The server's.
        server: u32,
    },
    /// The revision's files are not there any more.
    #[error("the workspace `{workspace}` has no revision {revision}")]
    NoSuchRevision {
        /// The workspace.
        workspace: String,
        /// The revision.
        revision: String,
    },
    /// Files or keys on the server's disk.
    #[error("{what}: {message}")]
    Disk {
        /// What was done.
        what: String,
        /// What went wrong.
        message: String,
    },
    /// The store's failure.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AppError {
    /// From a plan that cannot be made.
    pub(crate) fn from_plan(workspace: &str, error: PlanError) -> Self {
        match error {
            PlanError::UnknownTask { task, suggestion } => {
                Self::NoSuchTask { workspace: workspace.to_owned(), task, suggestion }
            }
            PlanError::Broken { task, diagnostics } => Self::TaskBroken { task, diagnostics },
            PlanError::Unsupported { task, reasons } => Self::Unsupported { task, reasons },
        }
    }
}
