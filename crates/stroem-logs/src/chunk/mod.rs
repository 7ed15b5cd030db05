//! Lines packed for the way to the server and for its store. One chunk holds lines of one attempt. It must not
//! know about steps, jobs or files.

mod builder;
mod codec;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use stroem_core::{Timestamp, limits};

pub use self::{
    builder::{ChunkBuilder, ChunkLimits},
    codec::decode,
};

/// The most bytes of lines in one chunk, each line counting one more for its end; what a reader accepts.
pub const CHUNK_RAW_BYTES_MAX: u64 = 8 << 20;
/// The most lines in one chunk.
pub const CHUNK_LINES_MAX: u32 = 1 << 16;
/// The most bytes of one line. A longer one (no line limit should be above this) loses its end, and says so.
pub const CHUNK_LINE_BYTES_MAX: usize = limits::STEP_OUTPUT.as_bytes() as usize;

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    /// The step's standard output.
    Stdout,
    /// The step's standard error.
    Stderr,
    /// What Strøm itself has to say about the step, such as `pulling image`.
    Engine,
}

impl LogStream {
    /// The spelling in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Engine => "engine",
        }
    }
}

/// One line of a log, without its line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When it was read.
    pub at: Timestamp,
    /// Where it came from.
    pub stream: LogStream,
    /// Whether the text goes on from the line before it on the same stream.
    pub continued: bool,
    /// The bytes; mostly UTF-8, but a program may print anything.
    pub text: Bytes,
}

/// One line on its way into a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineRef<'a> {
    /// When it was read.
    pub at: Timestamp,
    /// Where it came from.
    pub stream: LogStream,
    /// Whether the text goes on from the line before it on the same stream.
    pub continued: bool,
    /// The bytes.
    pub text: &'a [u8],
}

impl LogLine {
    /// The same line, borrowed.
    pub fn as_ref(&self) -> LineRef<'_> {
        LineRef { at: self.at, stream: self.stream, continued: self.continued, text: &self.text }
    }
}

/// Packed lines. All fields but `seq` are also in the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Its place among the attempt's chunks, from 0 without gaps.
    pub seq: u64,
    /// How many lines it has, at least one.
    pub lines: u32,
    /// Bytes of its lines, each counting one more for its end.
    pub raw_bytes: u64,
    /// When its first line was read.
    pub first_at: Timestamp,
    /// When its last line was read.
    pub last_at: Timestamp,
    /// The lines, packed; see [`decode`].
    pub payload: Bytes,
}

impl Chunk {
    /// Restores a chunk from its payload, whose checksum is verified; the lines are not unpacked.
    ///
    /// # Errors
    /// [`ChunkError`].
    pub fn from_payload(seq: u64, payload: Bytes) -> Result<Self, ChunkError> {
        let (header, _) = codec::Header::read(&payload)?;
        Ok(Self {
            seq,
            lines: header.lines,
            raw_bytes: header.raw_bytes,
            first_at: header.first_at,
            last_at: header.last_at,
            payload,
        })
    }
}

/// Why bytes are not a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// It does not begin like one.
    #[error("these bytes are not a log chunk")]
    NotAChunk,
    /// Written by a newer version.
    #[error("the log chunk has version {0}, which this version does not know")]
    Version(u8),
    /// Cut off, or changed since it was written.
    #[error("the log chunk is damaged: {0}")]
    Damaged(&'static str),
    /// Says that it holds more than a chunk may.
    #[error("the log chunk is over the limit of {CHUNK_LINES_MAX} lines and {CHUNK_RAW_BYTES_MAX} bytes")]
    TooLarge,
}

#[cfg(test)]
mod tests;
