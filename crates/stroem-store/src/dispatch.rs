//! Ready steps, claims and leases.

use std::time::Duration;

use async_trait::async_trait;
use stroem_core::{JobId, LeaseKey, Runtime, TagSet, Timestamp, WorkerId};
use stroem_engine::StopReason;

use crate::StoreError;

/// How long after its ready time a step is kept from the worker that it avoids. After that any worker may take it: there may
/// be no other, and a full disk may have been emptied.
pub const AVOID_WORKER: Duration = Duration::from_secs(60);

/// A worker asks for steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRequest {
    /// The worker.
    pub worker: WorkerId,
    /// Queue keys that its tags cover, see [`DispatchStore::queue_keys`].
    pub keys: Vec<TagSet>,
    /// Free slots: how many to claim at most.
    pub limit: u32,
    /// The time of the claim.
    pub now: Timestamp,
}

impl ClaimRequest {
    /// Rows that became ready at or before this time avoid no worker any more.
    pub fn avoids_until(&self) -> Timestamp {
        let micros = i64::try_from(AVOID_WORKER.as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(self.now.as_micros().saturating_sub(micros))
    }
}

/// A claimed step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its lease.
    pub lease: LeaseKey,
    /// Its job's version after the claim, for page updates.
    pub job_version: i64,
}

/// A lease as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRow {
    /// Which attempt, under which fence.
    pub lease: LeaseKey,
    /// Who holds it.
    pub worker: WorkerId,
    /// When it was claimed.
    pub claimed_at: Timestamp,
    /// Set when the worker must stop the attempt.
    pub kill: Option<StopReason>,
    /// Where the attempt runs, when it can outlive its worker.
    pub runtime: Option<Runtime>,
    /// Since when its worker is gone and any worker of the runtime's scope may adopt it.
    pub offered_at: Option<Timestamp>,
}

/// A worker takes over attempts that are on offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdoptRequest {
    /// The worker.
    pub worker: WorkerId,
    /// The leases under which the attempts are offered.
    pub leases: Vec<LeaseKey>,
    /// The time of the adoption.
    pub now: Timestamp,
}

/// How many steps wait in one queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueDepth {
    /// The queue's key.
    pub tags: TagSet,
    /// Ready steps, counted up to 1,000.
    pub ready: u64,
    /// The oldest one's ready time.
    pub oldest_ready_at: Timestamp,
}

/// The queue and the leases.
#[async_trait]
pub trait DispatchStore: Send + Sync {
    /// For all free slots in one transaction: deletes queue rows, inserts leases and attempts with new fences, moves the
    /// steps ready -> running (attempt + 1, fence, worker, outcome and error cleared) and their job pending -> running
    /// (`started_at`, version + 1 for each claim). Takes the highest priority first and within it the oldest `ready_at`,
    /// across all keys; skips rows whose `avoid_worker` is this worker and that became ready less than [`AVOID_WORKER`]
    /// ago. A worker that is noted as gone or as draining gets nothing. Its cost depends on `limit` and the number of keys, not on the length of the queue.
    async fn claim(&self, request: ClaimRequest) -> Result<Vec<Claim>, StoreError>;

    /// Every queue key that has ready steps now.
    async fn queue_keys(&self) -> Result<Vec<TagSet>, StoreError>;

    /// Depth of every queue that has ready steps now.
    async fn queue_depths(&self) -> Result<Vec<QueueDepth>, StoreError>;

    /// Steps of one queue that became ready at or before `ready_before`, oldest first.
    async fn ready_since(
        &self,
        tags: &TagSet,
        ready_before: Timestamp,
        limit: u32,
    ) -> Result<Vec<(JobId, u32)>, StoreError>;

    /// How many ready steps of the same queue would be claimed before this one; none when it is not queued.
    async fn ahead(&self, job: JobId, step: u32) -> Result<Option<u64>, StoreError>;

    /// The leases of a worker.
    async fn leases(&self, worker: WorkerId) -> Result<Vec<LeaseRow>, StoreError>;

    /// Notes where an attempt runs. Answers false when the lease is over.
    async fn set_runtime(&self, lease: LeaseKey, runtime: Runtime) -> Result<bool, StoreError>;

    /// Puts up for adoption those of these leases that have a runtime, and names them. One that is offered already keeps
    /// its time.
    async fn offer(&self, leases: Vec<LeaseKey>, now: Timestamp) -> Result<Vec<LeaseKey>, StoreError>;

    /// Takes these leases of a worker back from the offer: their holder has returned before anybody adopted them.
    async fn keep(&self, worker: WorkerId, leases: Vec<LeaseKey>) -> Result<(), StoreError>;

    /// Every lease that is on offer, the oldest offer first.
    async fn offers(&self) -> Result<Vec<LeaseRow>, StoreError>;

    /// Gives offered leases to a worker in one transaction: the same attempt under a new fence, with its runtime and its
    /// kill. Lease, attempt, step, timer and the job's version (+ 1 for each) change together. Leases that are not on
    /// offer any more are passed over, so of two workers one wins.
    async fn adopt(&self, request: AdoptRequest) -> Result<Vec<Claim>, StoreError>;

    /// Whether an attempt has this fence, the newest one that it was claimed or adopted under, whatever became of it: its
    /// log is taken then.
    async fn is_attempt_of(&self, lease: LeaseKey) -> Result<bool, StoreError>;
}
