//! What can happen to a job, and why it may be refused.

use serde_json::Value;
use stroem_core::{JobStatus, LeaseKey, Outcome, StepStatus, Timestamp};

/// Something that happened, from a worker, a user, a timer, the recovery service or the engine itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A worker: the process of the attempt started.
    AttemptStarted {
        /// The lease it holds.
        lease: LeaseKey,
        /// When, by the worker's report.
        at: Timestamp,
    },
    /// A worker: the attempt ended. Also the server, for a claim that it could not render.
    AttemptEnded {
        /// The lease it holds.
        lease: LeaseKey,
        /// How it ended.
        outcome: Outcome,
        /// Its output, masked.
        output: Option<Value>,
    },
    /// A worker that drains gives a claim back before its command began.
    HandedBack {
        /// The lease it gives up.
        lease: LeaseKey,
    },
    /// The recovery service: no active worker has the tags.
    Unmatched {
        /// The step that waited.
        step: u32,
    },
    /// A user cancels the job.
    CancelRequested,
    /// A timer: the job's time ran out.
    JobDeadline,
    /// A timer, the backstop: the worker should have ended the attempt by now.
    AttemptDeadline {
        /// The lease that is overdue.
        lease: LeaseKey,
    },
    /// The engine itself: a step ended, so its dependents learn of it.
    StepEnded {
        /// The step that ended.
        step: u32,
    },
    /// The engine itself: all dependencies of a step ended, so it is decided whether it runs.
    DependenciesMet {
        /// The step to decide.
        step: u32,
    },
}

/// What became of a legal event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It changed the job.
    Changed,
    /// It had been applied before, or came too late to matter; nothing changed.
    AlreadyApplied,
}

/// Why an event cannot apply. Nothing changes then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IllegalEvent {
    /// The lease is not the current one of its step: the worker must stop the attempt.
    #[error("lease lost: the step is {status}, and the current lease is another one")]
    LeaseLost {
        /// The step's state now.
        status: StepStatus,
    },
    /// The job has already ended.
    #[error("the job is already {status}")]
    JobEnded {
        /// Its state.
        status: JobStatus,
    },
    /// The plan has no such step.
    #[error("the plan has no step {step}")]
    NoSuchStep {
        /// The index.
        step: u32,
    },
    /// The step is in a state in which this cannot happen.
    #[error("the step is {status}")]
    WrongStatus {
        /// Its state.
        status: StepStatus,
    },
}
