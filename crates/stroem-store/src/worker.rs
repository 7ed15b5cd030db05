//! Workers and their sessions.

use async_trait::async_trait;
use stroem_core::{InstanceId, TagSet, Timestamp, WorkerId, WorkerName};

use crate::StoreError;

/// A worker's wish to be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The id to use when the name is new.
    pub new_id: WorkerId,
    /// Its name.
    pub name: WorkerName,
    /// Its process.
    pub instance: InstanceId,
    /// Its tags.
    pub tags: TagSet,
    /// Tags that it withdrew, with the reason.
    pub withdrawn: Vec<(String, String)>,
    /// `exclusive: true`.
    pub exclusive: bool,
    /// How many steps it runs at once.
    pub capacity: u32,
    /// Its program's version.
    pub version: String,
    /// SHA-256 of the session token it is given.
    pub session_hash: [u8; 32],
    /// The time of the registration.
    pub now: Timestamp,
    /// An instance that was seen at or after this time is alive.
    pub alive_since: Timestamp,
}

/// The answer to a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegisterOutcome {
    /// It is known under this id. A name keeps its id for ever.
    Registered(WorkerId),
    /// Another instance of that name is alive.
    NameTaken {
        /// When that one was last seen.
        last_seen: Timestamp,
    },
}

/// A worker as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerRow {
    /// Its id.
    pub id: WorkerId,
    /// Its name.
    pub name: WorkerName,
    /// Its newest process.
    pub instance: InstanceId,
    /// Its tags.
    pub tags: TagSet,
    /// Tags that it withdrew, with the reason.
    pub withdrawn: Vec<(String, String)>,
    /// `exclusive: true`.
    pub exclusive: bool,
    /// How many steps it runs at once.
    pub capacity: u32,
    /// Its program's version.
    pub version: String,
    /// When it registered.
    pub registered_at: Timestamp,
    /// When it was last heard of.
    pub last_seen: Timestamp,
    /// It takes no more steps: it will leave, or somebody wants it to rest.
    pub draining: bool,
    /// It said goodbye, or was judged lost.
    pub gone_at: Option<Timestamp>,
}

/// Workers.
#[async_trait]
pub trait WorkerStore: Send + Sync {
    /// Registers a worker or refuses a second live instance of its name. The same instance may register again at any
    /// time; its older session ends.
    async fn register(&self, registration: Registration) -> Result<RegisterOutcome, StoreError>;

    /// The worker of a session, when the session is the newest one of its worker and the worker is not gone.
    async fn session(&self, session_hash: [u8; 32]) -> Result<Option<WorkerRow>, StoreError>;

    /// Notes that workers were heard of, many in one write.
    async fn seen(&self, workers: Vec<(WorkerId, Timestamp)>) -> Result<(), StoreError>;

    /// Notes whether a worker drains. A registration ends it.
    async fn set_draining(&self, worker: WorkerId, draining: bool) -> Result<(), StoreError>;

    /// Notes that a worker's instance is gone, unless a newer instance registered in the meantime. Answers whether it
    /// is noted now; said twice, the first time stays. Its leases stay until their attempts are ended by events.
    async fn gone(&self, worker: WorkerId, instance: InstanceId, now: Timestamp) -> Result<bool, StoreError>;

    /// All workers, by name.
    async fn workers(&self) -> Result<Vec<WorkerRow>, StoreError>;

    /// Forgets workers that are gone since before this time and hold no lease.
    async fn forget(&self, gone_before: Timestamp) -> Result<u64, StoreError>;
}
