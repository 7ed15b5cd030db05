//! Log chunks: compressed by the worker, kept as they came, sealed to the blob store when the job ended.

use async_trait::async_trait;
use bytes::Bytes;
use stroem_core::{AttemptNumber, JobId, Timestamp};

use crate::StoreError;

/// Whose chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkKey {
    /// The job.
    pub job: JobId,
    /// The step.
    pub step: u32,
    /// The attempt.
    pub attempt: AttemptNumber,
}

/// A chunk from a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChunk {
    /// Whose.
    pub key: ChunkKey,
    /// Its place among the attempt's chunks, from 0 without gaps.
    pub seq: u64,
    /// Lines in it.
    pub lines: u32,
    /// Bytes before compression.
    pub raw_bytes: u64,
    /// Time of its first line.
    pub first_at: Timestamp,
    /// Time of its last line.
    pub last_at: Timestamp,
    /// The compressed lines, see `stroem-logs`.
    pub payload: Bytes,
}

/// How far an attempt's chunks are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppendOutcome {
    /// Whose.
    pub key: ChunkKey,
    /// The next sequence number that is expected; all before it are durable.
    pub next_seq: u64,
    /// The highest job-wide number given to a chunk of this call, when one was new.
    pub last_chunk_no: Option<u64>,
    /// Whether a part of the job's log was sealed before, so that the log has to be sealed again.
    pub sealed_before: bool,
}

/// A chunk as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredChunk {
    /// Its job-wide number, from 0 without gaps, in the order of storing.
    pub chunk_no: u64,
    /// The chunk.
    pub chunk: NewChunk,
}

/// A chunk without its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkPlace {
    /// Its job-wide number.
    pub chunk_no: u64,
    /// The step.
    pub step: u32,
    /// The attempt.
    pub attempt: AttemptNumber,
    /// Lines in it.
    pub lines: u32,
    /// Time of its first line.
    pub first_at: Timestamp,
}

impl ChunkPlace {
    /// Of a stored chunk.
    pub fn of(stored: &StoredChunk) -> Self {
        let StoredChunk { chunk_no, chunk } = stored;
        Self {
            chunk_no: *chunk_no,
            step: chunk.key.step,
            attempt: chunk.key.attempt,
            lines: chunk.lines,
            first_at: chunk.first_at,
        }
    }
}

/// Which chunks to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkRange {
    /// The job.
    pub job: JobId,
    /// Only this step's.
    pub step: Option<u32>,
    /// From this job-wide number on.
    pub from_chunk_no: u64,
    /// At most this many chunks.
    pub limit: u32,
}

/// Where a sealed log is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedLog {
    /// The job.
    pub job: JobId,
    /// The blob's key.
    pub blob_key: String,
    /// The number of chunks in it: those before this job-wide number.
    pub chunks: u64,
}

/// Logs. A store may keep them in a database of their own.
#[async_trait]
pub trait LogStore: Send + Sync {
    /// Stores chunks in order. A chunk that is already stored is passed over; a chunk after a gap is not stored, and the
    /// outcome's `next_seq` says what is expected. One outcome for each key. The answer comes when they are durable. A
    /// log that is sealed grows again: a worker may have been cut off for longer than its job took to end.
    async fn append(&self, chunks: Vec<NewChunk>) -> Result<Vec<AppendOutcome>, StoreError>;

    /// Reads chunks in order of their job-wide numbers. It may give fewer than asked for, to bound the memory, but none
    /// only when there are none. Chunks that are sealed are not among them.
    async fn chunks(&self, range: ChunkRange) -> Result<Vec<StoredChunk>, StoreError>;

    /// The last chunks of a step that are not sealed, in order of their job-wide numbers; at most `limit`, and fewer to
    /// bound the memory, but one if there is one.
    async fn last_chunks(&self, job: JobId, step: u32, limit: u32) -> Result<Vec<StoredChunk>, StoreError>;

    /// As [`LogStore::chunks`], without the payloads.
    async fn chunk_places(&self, range: ChunkRange) -> Result<Vec<ChunkPlace>, StoreError> {
        let chunks = self.chunks(range).await?;
        Ok(chunks.iter().map(ChunkPlace::of).collect())
    }

    /// Where the sealed part of a job's log is.
    async fn sealed(&self, job: JobId) -> Result<Option<SealedLog>, StoreError>;

    /// Notes the sealed log, which holds what an earlier one held, and drops the chunks, in one transaction; answers the
    /// key of the earlier blob, which is not needed any more. Doing it again changes nothing.
    /// [`StoreError::Unavailable`] when the log does not have `sealed.chunks` chunks: it grew meanwhile, seal it again.
    async fn seal(&self, sealed: SealedLog) -> Result<Option<String>, StoreError>;

    /// Jobs that have chunks which are not sealed and whose newest one is older than this, oldest first.
    async fn unsealed(&self, last_chunk_before: Timestamp, limit: u32) -> Result<Vec<JobId>, StoreError>;
}
