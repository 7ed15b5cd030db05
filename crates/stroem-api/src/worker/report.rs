//! What a worker has to say: log chunks first, then what happened to attempts. One call carries many of both.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stroem_core::{LeaseKey, Outcome, Runtime, Timestamp};

/// A report. On the wire: the length of the JSON as u32 (big endian), the JSON, then the chunks' payloads in order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Log chunks, in order of their attempts' sequence numbers.
    pub chunks: Vec<ChunkMeta>,
    /// What happened, in order for each lease; stored after the chunks.
    pub attempts: Vec<AttemptReport>,
    /// The payload of each chunk.
    #[serde(skip)]
    pub payloads: Vec<Bytes>,
}

/// A log chunk without its payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkMeta {
    /// Whose.
    pub lease: LeaseKey,
    /// Its place among the attempt's chunks, from 0 without gaps.
    pub seq: u64,
    /// Lines in it.
    pub lines: u32,
    /// Bytes before compression.
    pub raw_bytes: u64,
    /// Time of its first line, microseconds.
    pub first_at_us: i64,
    /// Time of its last line, microseconds.
    pub last_at_us: i64,
    /// Bytes of its payload.
    pub payload_bytes: u32,
}

/// Something that happened to an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptReport {
    /// Which.
    pub lease: LeaseKey,
    /// Its number among the reports of the lease, from 0; a repeated one is answered again.
    pub report_seq: u64,
    /// What.
    pub kind: ReportKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ReportKind {
    /// It runs, or is about to, where another worker can take it over.
    Placed {
        /// Where.
        runtime: Runtime,
    },
    /// The process started.
    Started {
        /// When.
        at: Timestamp,
    },
    /// The attempt ended, and all of its log chunks are in this report or acknowledged before.
    Ended {
        /// How.
        outcome: Outcome,
        /// Its output, masked.
        output: Option<Value>,
    },
    /// Given back before the command began.
    HandedBack,
}

/// The answers, one for each attempt's chunks and one for each report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportResponse {
    /// How far each attempt's chunks are stored.
    pub chunks: Vec<ChunkAnswer>,
    /// What became of each report.
    pub attempts: Vec<ReportAnswer>,
}

/// How far an attempt's chunks are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkAnswer {
    /// Whose.
    pub lease: LeaseKey,
    /// All chunks before this one are durable; none when the lease is not known: drop its chunks.
    pub next_seq: Option<u64>,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportAnswer {
    /// Whose.
    pub lease: LeaseKey,
    /// Which.
    pub report_seq: u64,
    /// What became of it.
    pub verdict: ReportVerdict,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportVerdict {
    /// It is durable, now or since an earlier call.
    Applied,
    /// The lease is not the current one: stop the attempt and forget it.
    LeaseLost,
    /// The server could not take it now: send it again.
    Again,
}

/// Why a report's body cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The body ends too early or has bytes left over.
    #[error("the report's length does not fit its content")]
    Length,
    /// The JSON is not a report's.
    #[error("the report is not readable: {0}")]
    Json(#[from] serde_json::Error),
}

impl Report {
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.attempts.is_empty()
    }

    /// Adds a chunk with its payload.
    pub fn push_chunk(&mut self, meta: ChunkMeta, payload: Bytes) {
        self.chunks.push(meta);
        self.payloads.push(payload);
    }

    /// The body.
    ///
    /// # Panics
    /// Never: its parts are numbers, text and JSON values.
    pub fn encode(&self) -> Bytes {
        let json = serde_json::to_vec(self).expect("a report is numbers, text and JSON values");
        let payload_bytes: usize = self.payloads.iter().map(Bytes::len).sum();
        let mut body = BytesMut::with_capacity(4 + json.len() + payload_bytes);
        body.put_u32(u32::try_from(json.len()).expect("a report's JSON is under the request limit"));
        body.extend_from_slice(&json);
        for payload in &self.payloads {
            body.extend_from_slice(payload);
        }
        body.freeze()
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`ReportError`].
    pub fn decode(mut body: Bytes) -> Result<Self, ReportError> {
        if body.len() < 4 {
            return Err(ReportError::Length);
        }
        let json_len = body.get_u32() as usize;
        if body.len() < json_len {
            return Err(ReportError::Length);
        }
        let mut report: Self = serde_json::from_slice(&body.split_to(json_len))?;
        for chunk in &report.chunks {
            let len = chunk.payload_bytes as usize;
            if body.len() < len {
                return Err(ReportError::Length);
            }
            report.payloads.push(body.split_to(len));
        }
        if body.is_empty() { Ok(report) } else { Err(ReportError::Length) }
    }
}

#[cfg(test)]
mod tests {
    use stroem_core::{AttemptKey, AttemptNumber, Fence, JobId};

    use super::*;

    fn report() -> Report {
        let attempt = AttemptKey { job: JobId::from_bytes([7; 16]), step: 2, attempt: AttemptNumber(1) };
        let lease = LeaseKey { attempt, fence: Fence(9) };
        let mut report = Report::default();
        for seq in 0..2 {
            let payload = Bytes::from(vec![1; 10 + usize::try_from(seq).expect("small")]);
            let payload_bytes = u32::try_from(payload.len()).expect("small");
            let meta = ChunkMeta {
                lease,
                seq,
                lines: 1,
                raw_bytes: 5,
                first_at_us: 1,
                last_at_us: 2,
                payload_bytes,
            };
            report.push_chunk(meta, payload);
        }
        let kind =
            ReportKind::Ended { outcome: Outcome::Succeeded, output: Some(serde_json::json!({"a": 1})) };
        report.attempts.push(AttemptReport { lease, report_seq: 1, kind });
        report
    }

    #[test]
    fn a_report_round_trips() {
        assert_eq!(Report::decode(report().encode()).expect("decodes"), report());
    }

    #[test]
    fn a_cut_or_padded_report_is_refused() {
        let body = report().encode();
        for len in 0..body.len() {
            assert!(Report::decode(body.slice(..len)).is_err(), "cut at {len}");
        }
        let mut padded = body.to_vec();
        padded.push(0);
        assert!(Report::decode(padded.into()).is_err());
    }
}
