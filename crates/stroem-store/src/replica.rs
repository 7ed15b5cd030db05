//! What several servers on one store tell each other, and which of them leads.
//!
//! Apart from [`Store`](crate::Store): one server alone needs none of it. Hints are never the truth: they may be late, come
//! twice or not at all, and whoever gets one looks into the store. Subscribe first, then look, and look again now and
//! then even without a hint.

use async_trait::async_trait;
use stroem_core::{JobId, TagSet, Timestamp, WorkerId};

use crate::StoreError;

/// What another server's commit or claim may mean for this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// A step may be claimed from this queue.
    Ready {
        /// The queue's key.
        tags: TagSet,
    },
    /// A job has this version, or a later one.
    JobChanged {
        /// The job.
        job: JobId,
        /// Its version.
        version: i64,
    },
    /// A worker should stop attempts: its leases say which.
    Stop {
        /// The worker.
        worker: WorkerId,
    },
    /// There is a timer that may be the earliest.
    TimerAdded {
        /// When it fires.
        due_at: Timestamp,
    },
    /// Hints were lost: anything may have changed.
    Anything,
}

/// A subscription to hints.
#[async_trait]
pub trait HintStream: Send {
    /// The next hint of another server; waits for ever when none comes. It may be dropped and asked again without losing
    /// one. [`Hint::Anything`] comes after the connection to the others was away, and to a reader that fell behind.
    async fn next(&mut self) -> Hint;
}

/// The leadership, held until it is dropped or lost.
#[async_trait]
pub trait Leadership: Send + Sync {
    /// Waits until the leadership is lost. After this another server may already lead, so whatever the leader does must be
    /// harmless when two do it for a moment: it is a way to do things once, not a lock on them.
    async fn lost(&self);
}

/// A store that several servers may share.
#[async_trait]
pub trait ReplicaStore: Send + Sync {
    /// Hints from now on, of all other servers on this store and none of this handle's own commits: their effects are in
    /// [`Committed`](crate::Committed).
    fn hints(&self) -> Box<dyn HintStream>;

    /// Takes the leadership, of which there is one for each store, if nobody has it.
    async fn try_lead(&self) -> Result<Option<Box<dyn Leadership>>, StoreError>;
}
