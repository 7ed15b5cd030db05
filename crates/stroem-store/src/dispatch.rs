//! Ready steps, claims and leases.

use std::time::Duration;

use async_trait::async_trait;
use stroem_core::{JobId, LeaseKey, TagSet, Timestamp, WorkerId};
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

    /// Whether an attempt was ever claimed under this fence, whatever became of it: its log is taken then.
    async fn is_attempt_of(&self, lease: LeaseKey) -> Result<bool, StoreError>;
}
