//! The store port: what the application asks of a database, per aggregate.
//!
//! The contract, for every implementation:
//! - Anything acknowledged is durable.
//! - [`JobStore::commit`] and [`DispatchStore::claim`] are the only ways to change a job. Each is one transaction, and
//!   two of them that touch the same job never interleave.
//! - A store never decides: it loads what a [`stroem_engine::Batch`] asks for and writes what it answers.
//! - Reads see everything acknowledged before they began.
//! - Dropping a future does not undo a write that was begun.
//!
//! An implementation passes [`conformance`] (feature `conformance`). SQL stays in the implementations.

mod blob;
#[cfg(feature = "conformance")]
pub mod conformance;
mod dispatch;
mod error;
mod job;
mod log;
mod replica;
pub mod transfer;
mod worker;

use std::sync::Arc;

pub use blob::{BLOB_PART_BYTES, BlobContent, BlobRow, BlobRows, UNNAMED_KEPT};
pub use dispatch::{AVOID_WORKER, AdoptRequest, Claim, ClaimRequest, DispatchStore, LeaseRow, QueueDepth};
pub use error::StoreError;
pub use job::{
    AttemptView, Committed, JobCounts, JobDetail, JobFilter, JobPage, JobStore, JobSummary, NewJob,
    StepDetail, StepView,
};
pub use log::{AppendOutcome, ChunkKey, ChunkPlace, ChunkRange, LogStore, NewChunk, SealedLog, StoredChunk};
pub use replica::{Hint, HintStream, Leadership, ReplicaStore};
pub use worker::{RegisterOutcome, Registration, WorkerRow, WorkerStore};

/// Everything together; what the application holds.
pub trait Store: JobStore + DispatchStore + WorkerStore + LogStore {}

impl<S: JobStore + DispatchStore + WorkerStore + LogStore> Store for S {}

/// A store shared by all parts of the application.
pub type SharedStore = Arc<dyn Store>;
