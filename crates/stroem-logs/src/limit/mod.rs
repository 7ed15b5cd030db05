//! Keeps an attempt's log within its limit: the head passes, of what comes later only the newest is kept, and one
//! line says what was cut between them. It must not know where the chunks go.
//!
//! The tail waits in a [`Spool`] of its own, so that memory stays flat, and what has fallen out of it is deleted
//! file by file. When the attempt has ended, [`LogLimit::release`] gives the line about the cut and then the
//! tail, chunk by chunk, as fast as the caller takes them.
//!
//! A process that takes over after a crash calls [`LogLimit::open`] with what it knows of the chunks that passed.
//! A release that was under way goes on exactly where the passed chunks end: its plan is a record of the tail.

mod record;

use std::{collections::VecDeque, path::PathBuf};

use bytes::Bytes;
use stroem_core::{ByteSize, Timestamp, limits};

use self::record::{Plan, Record, Stored};
use crate::{
    chunk::{Chunk, ChunkBuilder, ChunkLimits, LineRef, LogStream},
    spool::{Spool, SpoolError, SpoolOptions},
};

/// Parts of the tail that are dropped one at a time.
const TAIL_PARTS: u64 = 16;
/// Bytes that are read from the tail at once.
const READ_BYTES: usize = 256 << 10;

/// How much of a log is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimitOptions {
    /// Bytes of lines, as [`Chunk::raw_bytes`] counts them: the first half passes at once, the last half waits for
    /// the end.
    pub log_bytes: ByteSize,
    /// For the tail's spool.
    pub spool: SpoolOptions,
}

impl Default for LogLimitOptions {
    fn default() -> Self {
        Self { log_bytes: limits::STEP_LOG, spool: SpoolOptions::default() }
    }
}

/// Chunks that are on their way to the server already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Passed {
    /// How many; the next one gets this number.
    pub chunks: u64,
    /// Bytes of their lines.
    pub raw_bytes: u64,
}

/// The limit of one attempt's log. It gives the chunks their final numbers.
pub struct LogLimit {
    options: LogLimitOptions,
    passed: Passed,
    /// Once there is a tail, everything goes there.
    tail: Option<Tail>,
    dir: PathBuf,
}

struct Tail {
    spool: Spool,
    /// The bytes of the log's last half, to be kept.
    half: u64,
    next_seq: u64,
    lines: u64,
    raw_bytes: u64,
    /// Where parts begin: the record and the bytes before it. The first one is the oldest record that is kept.
    parts: VecDeque<(u64, u64)>,
    plan: Option<Plan>,
    /// Read and not given yet.
    ready: VecDeque<(u64, Bytes)>,
    /// Records that were found to be missing during the release, because the disk lost them.
    missing: u64,
}

impl LogLimit {
    /// For an attempt that has no log yet. `dir` is for the tail; it is made when there is one.
    pub fn new(dir: impl Into<PathBuf>, options: LogLimitOptions) -> Self {
        Self { options, passed: Passed::default(), tail: None, dir: dir.into() }
    }

    /// For an attempt whose log another process began.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub fn open(
        dir: impl Into<PathBuf>,
        options: LogLimitOptions,
        passed: Passed,
    ) -> Result<Self, SpoolError> {
        let mut limit = Self::new(dir, options);
        limit.passed = passed;
        limit.tail = Tail::open(Spool::open(&limit.dir, options.spool)?, limit.half())?;
        Ok(limit)
    }

    /// Takes a chunk and gives it back, with its final number, when it belongs to the head. A chunk of the tail
    /// is kept.
    ///
    /// # Errors
    /// [`SpoolError::Io`]; the chunk is kept all the same, in memory, and written with a later one.
    pub fn admit(&mut self, chunk: Chunk) -> Result<Option<Chunk>, SpoolError> {
        let half = self.half();
        if self.tail.is_none() && self.passed.raw_bytes + chunk.raw_bytes <= half {
            return Ok(Some(self.pass(chunk)));
        }
        let tail =
            self.tail.get_or_insert_with(|| Tail::new(Spool::create(&self.dir, self.options.spool), half));
        tail.keep(&chunk)?;
        tail.drop_oldest()?;
        Ok(None)
    }

    /// The attempt has ended: gives the next chunk of what was kept, none when that was all. `at` is the time of
    /// the line about the cut.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub fn release(&mut self, at: Timestamp) -> Result<Option<Chunk>, SpoolError> {
        let Some(tail) = &mut self.tail else { return Ok(None) };
        let plan = match tail.plan {
            Some(plan) => plan,
            None => tail.make_plan(self.passed.chunks, at)?,
        };
        let mut given = self.passed.chunks.saturating_sub(plan.first_chunk);
        if plan.cut_lines > 0 {
            if given == 0 {
                let notice = notice(&plan, self.options.log_bytes);
                return Ok(Some(self.pass(notice)));
            }
            given -= 1;
        }
        match tail.read(plan.from_seq + given)? {
            Some(chunk) => Ok(Some(self.pass(chunk))),
            None => Ok(None),
        }
    }

    /// How many chunks have passed.
    pub const fn passed(&self) -> Passed {
        self.passed
    }

    /// Whether anything waits for the end.
    pub const fn has_tail(&self) -> bool {
        self.tail.is_some()
    }

    /// Deletes the tail, released or not.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub fn remove(self) -> Result<(), SpoolError> {
        self.tail.map_or(Ok(()), |tail| tail.spool.remove())
    }

    /// Bytes that the tail has in files, for the watermarks of the disk.
    pub fn disk_bytes(&self) -> u64 {
        self.tail.as_ref().map_or(0, |tail| tail.spool.disk_bytes())
    }

    fn half(&self) -> u64 {
        self.options.log_bytes.as_bytes() / 2
    }

    fn pass(&mut self, chunk: Chunk) -> Chunk {
        let seq = self.passed.chunks;
        self.passed.chunks += 1;
        self.passed.raw_bytes += chunk.raw_bytes;
        Chunk { seq, ..chunk }
    }
}

impl Tail {
    fn new(spool: Spool, half: u64) -> Self {
        Self {
            spool,
            half,
            next_seq: 0,
            lines: 0,
            raw_bytes: 0,
            parts: VecDeque::new(),
            plan: None,
            ready: VecDeque::new(),
            missing: 0,
        }
    }

    /// What an earlier process left; none when there is nothing.
    fn open(spool: Spool, half: u64) -> Result<Option<Self>, SpoolError> {
        let mut tail = Self::new(spool, half);
        let mut from = 0;
        loop {
            let records = tail.spool.read(from, READ_BYTES)?;
            let Some((last, _)) = records.last() else { break };
            from = last + 1;
            for (seq, bytes) in records {
                match record::read(&bytes) {
                    Some(Record::Chunk(stored)) => tail.note(seq, &stored),
                    Some(Record::Plan(plan)) => tail.plan = Some(plan),
                    None => {}
                }
            }
        }
        tail.next_seq = from;
        Ok((from > 0).then_some(tail))
    }

    fn keep(&mut self, chunk: &Chunk) -> Result<(), SpoolError> {
        let stored = Stored {
            lines_before: self.lines,
            raw_bytes_before: self.raw_bytes,
            lines: chunk.lines,
            raw_bytes: chunk.raw_bytes,
            payload: chunk.payload.clone(),
        };
        let seq = self.next_seq;
        self.next_seq += 1;
        let written = self.spool.append(seq, record::write_chunk(&stored));
        self.note(seq, &stored);
        written
    }

    fn note(&mut self, seq: u64, stored: &Stored) {
        let before = stored.raw_bytes_before;
        if self.parts.back().is_none_or(|(_, begin)| before - begin >= self.half / TAIL_PARTS) {
            self.parts.push_back((seq, before));
        }
        self.lines = stored.lines_before + u64::from(stored.lines);
        self.raw_bytes = before + stored.raw_bytes;
    }

    /// Drops whole parts that lie before the last `half` bytes.
    fn drop_oldest(&mut self) -> Result<(), SpoolError> {
        let kept_from = self.raw_bytes.saturating_sub(self.half);
        while let Some((seq, begin)) = self.parts.get(1).copied()
            && begin <= kept_from
        {
            self.parts.pop_front();
            self.spool.acknowledge(seq - 1)?;
        }
        Ok(())
    }

    /// Decides where the tail begins: with the first chunk that lies in the last `half` bytes, or the last chunk.
    fn make_plan(&mut self, first_chunk: u64, at: Timestamp) -> Result<Plan, SpoolError> {
        let kept_from = self.raw_bytes.saturating_sub(self.half);
        let mut plan = Plan {
            first_chunk,
            from_seq: self.next_seq,
            cut_lines: self.lines,
            cut_bytes: self.raw_bytes,
            at,
        };
        let mut from = self.parts.front().map_or(0, |(seq, _)| *seq);
        'search: loop {
            let records = self.spool.read(from, READ_BYTES)?;
            let Some((last, _)) = records.last() else { break };
            from = last + 1;
            for (seq, bytes) in records {
                let Some(Record::Chunk(stored)) = record::read(&bytes) else { continue };
                plan.from_seq = seq;
                plan.cut_lines = stored.lines_before;
                plan.cut_bytes = stored.raw_bytes_before;
                if stored.raw_bytes_before >= kept_from {
                    break 'search;
                }
            }
        }
        self.spool.append(self.next_seq, record::write_plan(&plan))?;
        self.next_seq += 1;
        self.spool.persist()?;
        self.plan = Some(plan);
        Ok(plan)
    }

    /// The chunk of a record, counted without the records that are missing.
    fn read(&mut self, index: u64) -> Result<Option<Chunk>, SpoolError> {
        let wanted = index + self.missing;
        if self.ready.front().is_none_or(|(seq, _)| *seq != wanted) {
            self.ready = self.spool.read(wanted, READ_BYTES)?.into();
        }
        while let Some((seq, bytes)) = self.ready.pop_front() {
            if let Some(Record::Chunk(stored)) = record::read(&bytes)
                && let Ok(chunk) = Chunk::from_payload(seq, stored.payload)
            {
                self.missing += seq - wanted;
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }
}

fn notice(plan: &Plan, limit: ByteSize) -> Chunk {
    let Plan { cut_lines, cut_bytes, at, .. } = *plan;
    let lines = if cut_lines == 1 { "line" } else { "lines" };
    let text =
        format!("log limit of {limit} reached: {cut_lines} {lines} ({}) cut here", ByteSize(cut_bytes));
    let mut builder = ChunkBuilder::new(ChunkLimits::default());
    builder.push(at, LineRef { at, stream: LogStream::Engine, continued: false, text: text.as_bytes() });
    builder.flush().expect("a line was pushed")
}

impl std::fmt::Debug for LogLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogLimit")
            .field("passed", &self.passed)
            .field("has_tail", &self.has_tail())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
