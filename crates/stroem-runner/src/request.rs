//! What a runner gets to run one attempt.

use std::{collections::BTreeMap, path::PathBuf};

use stroem_core::{AttemptKey, HumanDuration, LeaseKey, Secret, StepName, StepSpec, TaskName, WorkspaceName};

/// Names for the step's environment and for labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepIdentity {
    /// The workspace.
    pub workspace: WorkspaceName,
    /// The task.
    pub task: TaskName,
    /// The step.
    pub step: StepName,
}

/// A revision's files as a plain tarball on the server.
#[derive(Debug, Clone)]
pub struct Download {
    /// The path below the server's address, with its first `/`.
    pub path: String,
    /// The bearer token that opens this path and nothing else, as long as the lease lasts.
    pub token: Secret,
}

/// One attempt to run.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// The attempt and the lease that it runs under; whatever a runner makes is labelled with it.
    pub lease: LeaseKey,
    /// Its names.
    pub identity: StepIdentity,
    /// The step, rendered.
    pub spec: StepSpec,
    /// The unpacked revision in the worker's cache, shared by all attempts and never written to. Without one a script
    /// gets an empty workspace.
    pub workspace: Option<PathBuf>,
    /// The same files for a platform that cannot see this host's: it fetches them from the server.
    pub download: Option<Download>,
    /// The attempt's private directory on this host: absolute, not existing yet. The runner makes and removes it.
    pub scratch: PathBuf,
    /// Where the worker keeps packages of `dependencies:` for later steps: absolute, made when it is needed.
    pub packages: PathBuf,
    /// What the worker's config passes to every step.
    pub passed_env: BTreeMap<String, String>,
    /// Between TERM and KILL.
    pub grace: HumanDuration,
}

/// The variable whose value names the attempt and its lease in the environment of every process of it.
pub const ATTEMPT_VARIABLE: &str = "STROEM_ATTEMPT";

impl RunRequest {
    /// The value of [`ATTEMPT_VARIABLE`]: `<job>-<step index>-<attempt>-<fence>`, unique for ever.
    pub fn marker(&self) -> String {
        format!("{}{}", marker_prefix(self.lease.attempt), self.lease.fence)
    }

    /// The variables that tell a command who it is, the same on every platform. A step's `env` cannot change them.
    pub fn reserved_env(&self) -> [(&'static str, String); 5] {
        [
            ("STROEM_JOB_ID", self.lease.attempt.job.to_string()),
            ("STROEM_TASK_NAME", self.identity.task.as_str().to_owned()),
            ("STROEM_STEP_NAME", self.identity.step.as_str().to_owned()),
            ("STROEM_WORKSPACE", self.identity.workspace.as_str().to_owned()),
            (ATTEMPT_VARIABLE, self.marker()),
        ]
    }
}

/// How the marker of an attempt begins, whatever its lease.
pub fn marker_prefix(attempt: AttemptKey) -> String {
    format!("{}-{}-{}-", attempt.job, attempt.step, attempt.attempt)
}
