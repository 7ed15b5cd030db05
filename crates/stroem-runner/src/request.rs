//! What a runner gets to run one attempt.

use std::{collections::BTreeMap, path::PathBuf};

use stroem_core::{HumanDuration, LeaseKey, StepName, StepSpec, TaskName, WorkspaceName};

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

/// One attempt to run.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// Its lease.
    pub lease: LeaseKey,
    /// Its names.
    pub identity: StepIdentity,
    /// The step, rendered.
    pub spec: StepSpec,
    /// The unpacked revision in the worker's cache, read only; none for steps without a workspace.
    pub workspace: Option<PathBuf>,
    /// A directory of the attempt's own; made by the runner, removed by cleanup.
    pub scratch: PathBuf,
    /// What the worker's config passes to every step.
    pub passed_env: BTreeMap<String, String>,
    /// Between TERM and KILL.
    pub grace: HumanDuration,
}
