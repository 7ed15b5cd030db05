//! Logs.

use serde::{Deserialize, Serialize};
use stroem_core::Timestamp;
use utoipa::ToSchema;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// When the worker read it.
    #[schema(value_type = String, format = "date-time")]
    pub ts: Timestamp,
    /// `stdout`, `stderr`, or `engine` for what Strøm says itself.
    pub stream: String,
    /// The step's name.
    pub step: String,
    /// The text without its line end. Bytes that are not UTF-8 are shown as U+FFFD.
    pub line: String,
    /// The attempt, from 1.
    #[serde(default)]
    pub attempt: u32,
    /// Whether the text goes on from the line before it on the same stream, which was over the limit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continued: bool,
}

/// A part of a job's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogPage {
    /// Lines as JSON, each ended by a newline.
    pub logs: String,
    /// Where the next part begins: hand it back as `cursor`.
    pub next_cursor: String,
    /// Whether the job has ended and nothing follows.
    pub complete: bool,
}

/// A step's log.
pub type StepLogs = LogPage;

/// Where the lines of a log are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogMap {
    /// The chunks in order. Reading from the cursor `CHUNK-0` gives a chunk's lines and those after it.
    pub chunks: Vec<LogChunk>,
    /// Hand it back as `from_chunk` to get what was added.
    pub next_chunk: u64,
    /// Whether nothing follows.
    pub complete: bool,
}

/// A chunk of a log without its lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogChunk {
    /// Its number in the job.
    pub chunk: u64,
    /// The index of its step in the job's list of steps.
    pub step: u32,
    /// The attempt, from 1.
    pub attempt: u32,
    /// How many lines it has.
    pub lines: u32,
    /// When its first line was read.
    #[schema(value_type = String, format = "date-time")]
    pub first_at: Timestamp,
}

/// Lines that hold what was searched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogHits {
    /// In order.
    pub hits: Vec<LogHit>,
    /// Hand it back as `cursor` to search on.
    pub next_cursor: String,
    /// Whether the search came to the end of what the log holds now.
    pub complete: bool,
}

/// A line that holds what was searched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogHit {
    /// Its place.
    pub cursor: String,
    /// When the worker read it.
    #[schema(value_type = String, format = "date-time")]
    pub ts: Timestamp,
    /// `stdout`, `stderr` or `engine`.
    pub stream: String,
    /// The step's name.
    pub step: String,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Its text, cut after 400 characters.
    pub line: String,
}
