//! What a commit writes, and what is told to others after it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stroem_core::{
    AttemptNumber, Fence, HumanDuration, JobId, JobStatus, LeaseKey, Outcome, TagSet, Timestamp, WorkerId,
};

use crate::rows::{JobRow, QueueRow, StepRow};

/// Why a worker must stop an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The job was cancelled.
    Cancelled,
    /// The job's or the step's time ran out.
    TimedOut {
        /// The time it had.
        limit: HumanDuration,
    },
}

/// Marks a lease so that its worker stops the attempt; the lease ends when the worker reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseKill {
    /// The lease.
    pub lease: LeaseKey,
    /// The worker that holds it.
    pub worker: WorkerId,
    /// Why.
    pub reason: StopReason,
}

/// A change of an attempt's row. Claims insert the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptChange {
    /// Its process started.
    Started {
        /// When.
        at: Timestamp,
    },
    /// It ended; its lease ends with it.
    Ended {
        /// When.
        at: Timestamp,
        /// How.
        outcome: Outcome,
    },
    /// It was given back before it began: row and lease go, its number will be used again.
    Removed,
}

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimerKind {
    /// The job's `timeout`.
    JobDeadline,
    /// The backstop of a step's `timeout`.
    AttemptDeadline,
}

/// Identifies a timer. For a job's timer step, attempt and fence are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerKey {
    /// The job.
    pub job: JobId,
    /// The step.
    pub step: u32,
    /// The attempt.
    pub attempt: AttemptNumber,
    /// The fence of the attempt's lease.
    pub fence: Fence,
    /// What it is for.
    pub kind: TimerKind,
}

/// A timer that is to fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimerRow {
    /// Which.
    pub key: TimerKey,
    /// When it fires.
    pub due_at: Timestamp,
}

/// Everything one commit writes, as final values; writing it twice gives the same rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// The job's new row, when it changed.
    pub job: Option<JobRow>,
    /// New rows of steps.
    pub steps: BTreeMap<u32, StepRow>,
    /// Rendered inputs of steps.
    pub inputs: BTreeMap<u32, Map<String, Value>>,
    /// Outputs of steps.
    pub outputs: BTreeMap<u32, Value>,
    /// Attempts by step and number, in order.
    pub attempts: Vec<(u32, AttemptNumber, AttemptChange)>,
    /// Steps that became ready.
    pub enqueue: BTreeMap<u32, QueueRow>,
    /// Steps that are no longer ready.
    pub dequeue: Vec<u32>,
    /// Leases that are to be stopped.
    pub kills: Vec<LeaseKill>,
    /// Leases that ended.
    pub released: Vec<LeaseKey>,
    /// Timers to add.
    pub timers_added: Vec<TimerRow>,
    /// Timers to remove. A job that ends takes all of its timers with it.
    pub timers_removed: Vec<TimerKey>,
}

impl Changes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What others learn after the commit. Hints only: whoever misses one finds the truth in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A step may be claimed by workers with these tags.
    Ready {
        /// The queue's key.
        tags: TagSet,
    },
    /// A worker should stop an attempt.
    Kill(LeaseKill),
    /// A lease ended.
    Released {
        /// Which.
        lease: LeaseKey,
        /// The worker that held it.
        worker: Option<WorkerId>,
    },
    /// A timer was added that may be the earliest.
    TimerAdded {
        /// When it fires.
        due_at: Timestamp,
    },
    /// The job changed.
    JobChanged {
        /// The job.
        job: JobId,
        /// Its state.
        status: JobStatus,
        /// Its version.
        version: i64,
    },
}
