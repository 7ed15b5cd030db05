//! The log of a finished job as one file: its chunks in the order of their job-wide numbers, then an index. The
//! file is written once, front to back, and read in parts: its end first, then the range of the chunks wanted. It
//! must not know where the file is kept, nor what is in a chunk.
//!
//! Version 1:
//!
//! ```text
//! "STRMLOG" version:u8
//! payloads, one after the other
//! index, compressed by zstd
//! trailer: index_offset:u64le index_bytes:u32le index_raw_bytes:u32le crc32:u32le "STRMLOG" version:u8
//!
//! index = count:varint, entries
//! entry = varints: number less the one after the last number, step, attempt, lines,
//!         time of the first line less the last entry's, bytes
//! ```
//!
//! The checksum covers the index and the numbers of the trailer; each chunk has its own. Sealed logs live as long
//! as their jobs: a change needs a new version and a golden file, and this one must stay readable.

mod index;
mod writer;

use stroem_core::{AttemptNumber, Timestamp};

pub use self::{
    index::{SealEntry, SealIndex, SealRead},
    writer::{SealSummary, SealWriteError, SealWriter},
};

const MAGIC: &[u8; 7] = b"STRMLOG";
const VERSION: u8 = 1;
const HEAD_BYTES: u64 = 8;
const TRAILER_BYTES: usize = 28;
/// The most bytes of an index before compression: some millions of chunks.
const INDEX_BYTES_MAX: usize = 32 << 20;

/// How much of a sealed log's end is a good first read: the index of most jobs is in it.
pub const SEAL_TAIL_BYTES: u64 = 64 << 10;

/// A chunk on its way into a sealed log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealChunk<'a> {
    /// Its job-wide number.
    pub chunk_no: u64,
    /// The step's index in the plan.
    pub step: u32,
    /// The attempt of the step.
    pub attempt: AttemptNumber,
    /// How many lines it has.
    pub lines: u32,
    /// When its first line was read.
    pub first_at: Timestamp,
    /// The packed lines.
    pub payload: &'a [u8],
}

/// Why bytes are not a sealed log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It does not end like one; it may be cut off.
    #[error("these bytes are not the end of a sealed log")]
    NotSealed,
    /// Written by a newer version.
    #[error("the sealed log has version {0}, which this version does not know")]
    Version(u8),
    /// Changed since it was written.
    #[error("the sealed log is damaged: {0}")]
    Damaged(&'static str),
}

#[cfg(test)]
mod tests;
