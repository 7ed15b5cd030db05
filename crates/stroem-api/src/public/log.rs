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
