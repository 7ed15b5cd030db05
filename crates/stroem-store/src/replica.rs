//! What several servers on one store tell each other, and which of them leads.
//!
//! Apart from [`Store`](crate::Store): one server alone needs none of it. Hints are never the truth: they may be late, come
//! twice or not at all, and whoever gets one looks into the store. Subscribe first, then look, and look again now and
//! then even without a hint.

use async_trait::async_trait;
use stroem_core::{JobId, JobStatus, TagSet, Timestamp, WorkerId};

use crate::{BlobRows, StoreError};

/// What another server's commit or claim may mean for this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// Steps may be claimed from this queue.
    Ready {
        /// The queue's key.
        tags: TagSet,
        /// How many became ready.
        steps: u32,
    },
    /// A job has this version, or a later one.
    JobChanged {
        /// The job.
        job: JobId,
        /// Its version.
        version: i64,
        /// Its state in that version.
        status: JobStatus,
    },
    /// A job's log has more lines.
    LogGrew {
        /// The job.
        job: JobId,
    },
    /// A worker should stop attempts: its leases say which.
    Stop {
        /// The worker.
        worker: WorkerId,
    },
    /// Workers came, went, or drain.
    WorkersChanged,
    /// A server asks who has a poll of this worker open: that is a sign of life, to be written at once.
    WhoPolls {
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

/// A store that several servers share.
#[async_trait]
pub trait ReplicaStore: BlobRows {
    /// Hints from now on, of all other servers on this store and none of this handle's own commits: their effects are in
    /// [`Committed`](crate::Committed).
    fn hints(&self) -> Box<dyn HintStream>;

    /// Tells all other servers something besides what commits and claims tell by themselves. It may be lost with this
    /// server.
    fn tell(&self, hint: Hint);

    /// Takes the leadership, of which there is one for each store, if nobody has it.
    async fn try_lead(&self) -> Result<Option<Box<dyn Leadership>>, StoreError>;

    /// The store's clock, which all its servers go by.
    async fn time(&self) -> Result<Timestamp, StoreError>;

    /// What the servers of this store agreed on under a name: the value of whoever came first, which may be this one.
    async fn agree(&self, name: &str, value: &str) -> Result<String, StoreError>;
}
