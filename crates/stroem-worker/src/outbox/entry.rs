//! What waits of one attempt.

use std::collections::VecDeque;

use serde_json::Value;
use stroem_api::worker::{AttemptReport, ChunkMeta, Report, ReportKind};
use stroem_core::{LeaseKey, Outcome};
use stroem_logs::{
    chunk::{Chunk, ChunkBuilder, ChunkLimits, LineRef, LogStream},
    spool::{Spool, SpoolError, SpoolOptions},
};

use super::Waiting;
use crate::{clock, journal::Journal};

pub(super) const SPOOL: SpoolOptions = SpoolOptions { segment_bytes: 8 << 20, memory_bytes: 512 << 10 };
/// Chunks up to this many bytes go into the journal with the end, so that a short step needs no file of its own.
const INLINE_BYTES: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) spool: Spool,
    pub(super) reports: VecDeque<Waiting>,
    next_report: u64,
    /// In the queue of leases with something to send.
    pub(super) queued: bool,
    /// The server does not know the lease: chunks are not wanted.
    pub(super) refused: bool,
    /// More may come.
    pub(super) running: bool,
    /// The first chunk: earlier ones came from whoever ran the attempt before.
    first_seq: u64,
}

impl Entry {
    pub(super) const fn new(spool: Spool) -> Self {
        Self {
            spool,
            reports: VecDeque::new(),
            next_report: 0,
            queued: false,
            refused: false,
            running: false,
            first_seq: 0,
        }
    }

    pub(super) fn running(spool: Spool, first_seq: u64) -> Self {
        Self { running: true, first_seq, ..Self::new(spool) }
    }

    pub(super) fn has_more(&self) -> bool {
        !self.reports.is_empty() || !self.spool.is_empty()
    }

    pub(super) fn chunk(&mut self, chunk: Chunk, offline: bool) -> Result<(), SpoolError> {
        if self.refused {
            return Ok(());
        }
        self.spool.append(chunk.seq, chunk.payload)?;
        if offline { self.spool.persist() } else { Ok(()) }
    }

    pub(super) fn report(&mut self, lease: LeaseKey, kind: ReportKind) {
        let report = AttemptReport { lease, report_seq: self.next_report, kind };
        self.next_report += 1;
        self.reports.push_back(Waiting { report, bytes: 200 });
    }

    /// The last report, written to the journal with the chunks that are only in memory.
    pub(super) fn end(
        &mut self,
        lease: LeaseKey,
        outcome: Outcome,
        output: Option<Value>,
        journal: &mut Journal,
    ) -> Result<(), SpoolError> {
        let mut report = Report::default();
        let mut written = Ok(());
        if self.spool.disk_bytes() == 0 && self.spool.memory_bytes() <= INLINE_BYTES {
            for chunk in self.chunks(0, INLINE_BYTES)? {
                push(&mut report, lease, chunk);
            }
        } else {
            written = self.spool.persist();
        }
        let ended = AttemptReport {
            lease,
            report_seq: self.next_report,
            kind: ReportKind::Ended { outcome, output },
        };
        self.next_report += 1;
        report.attempts.push(ended.clone());
        let written = written.and(journal.append(lease, &report));
        let bytes = match &ended.kind {
            ReportKind::Ended { output: Some(output), .. } => 200 + estimate(output),
            _ => 200,
        };
        self.reports.push_back(Waiting { report: ended, bytes });
        self.running = false;
        written
    }

    /// What the journal had: the end, and the chunks before it that are not in files.
    pub(super) fn recover(&mut self, report: &Report, ended: AttemptReport) -> Result<(), SpoolError> {
        for (meta, payload) in report.chunks.iter().zip(&report.payloads) {
            if self.spool.last_seq().is_none_or(|last| meta.seq > last) {
                self.spool.append(meta.seq, payload.clone())?;
            }
        }
        self.next_report = ended.report_seq + 1;
        self.reports.push_back(Waiting { report: ended, bytes: 200 });
        Ok(())
    }

    /// Chunks from a number on, up to some bytes; at least one when there is any. A chunk that the disk lost is
    /// replaced by one that says so, for the server takes no gaps.
    pub(super) fn chunks(&mut self, from: u64, bytes: usize) -> Result<Vec<Chunk>, SpoolError> {
        let acknowledged = self.spool.acknowledged().map_or(self.first_seq, |seq| seq + 1);
        let mut expected = from.max(acknowledged);
        let records = self.spool.read(from, bytes)?;
        let mut chunks = Vec::with_capacity(records.len());
        for (seq, payload) in records {
            chunks.extend((expected..seq).map(lost_chunk));
            expected = seq + 1;
            chunks.push(Chunk::from_payload(seq, payload).unwrap_or_else(|_| lost_chunk(seq)));
        }
        Ok(chunks)
    }

    /// The server has all chunks before this one. Whether that is news.
    pub(super) fn acknowledge(&mut self, next_seq: u64) -> bool {
        let Some(through) = next_seq.checked_sub(1) else { return false };
        let news = self.spool.acknowledged().is_none_or(|known| known < through);
        if let Err(error) = self.spool.acknowledge(through) {
            tracing::warn!(%error, "a spool cannot be shortened");
        }
        news
    }

    /// The server does not want chunks.
    pub(super) fn refuse(&mut self) {
        self.refused = true;
        if let Some(last) = self.spool.last_seq() {
            self.acknowledge(last + 1);
        }
    }

    pub(super) fn remove(self) {
        if let Err(error) = self.spool.remove() {
            tracing::warn!(%error, "a spool cannot be removed");
        }
    }
}

pub(super) fn push(report: &mut Report, lease: LeaseKey, chunk: Chunk) {
    let meta = ChunkMeta {
        lease,
        seq: chunk.seq,
        lines: chunk.lines,
        raw_bytes: chunk.raw_bytes,
        first_at_us: chunk.first_at.as_micros(),
        last_at_us: chunk.last_at.as_micros(),
        payload_bytes: u32::try_from(chunk.payload.len()).expect("a chunk is under 16 MiB"),
    };
    report.push_chunk(meta, chunk.payload);
}

fn lost_chunk(seq: u64) -> Chunk {
    let at = clock::now();
    let text: &[u8] = b"a part of the log was lost on the worker's disk here";
    let mut builder = ChunkBuilder::new(ChunkLimits::default());
    builder.push(at, LineRef { at, stream: LogStream::Engine, continued: false, text });
    Chunk { seq, ..builder.flush().expect("a line was pushed") }
}

/// About how many bytes a value has as JSON.
fn estimate(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| estimate(item) + 1).sum::<usize>() + 2,
        Value::Object(map) => map.iter().map(|(key, item)| key.len() + estimate(item) + 4).sum::<usize>() + 2,
    }
}
