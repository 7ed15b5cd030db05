//! An attempt's bytes on their way to the outbox: mask, frame, pack, limit. The last `OUTPUT:` is kept aside.

use std::sync::Arc;

use stroem_api::worker::StoredLog;
use stroem_core::{LeaseKey, Mark, Outcome, Timestamp};
use stroem_logs::{
    chunk::{Chunk, ChunkBuilder, ChunkLimits, LineRef, LogStream},
    frame::{Frame, FrameLimits, Framer},
    limit::{LogLimit, LogLimitOptions, Passed},
    mask::{MaskStream, Masker},
    spool::{SpoolError, SpoolOptions},
};
use stroem_runner::OutputStream;

use crate::{clock, outbox::Outbox, shared::Shared};

/// What a step gave as its output.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Written {
    /// No `OUTPUT:` line.
    #[default]
    Nothing,
    /// What stood after the last `OUTPUT:`.
    Text(Vec<u8>),
    /// The last one was over the limit.
    TooLarge,
}

/// What is left when the log is finished.
#[derive(Debug, Default)]
pub(super) struct Finished {
    pub(super) written: Written,
    /// Set when the log could not be kept.
    pub(super) failure: Option<Outcome>,
}

/// The log of one attempt.
pub(super) struct StepLog {
    masker: Arc<Masker>,
    stdout: Pipe,
    stderr: Pipe,
    packer: Packer,
}

struct Pipe {
    mask: MaskStream,
    framer: Framer,
    stream: LogStream,
    lines: Lines,
}

/// Lines of a stream, counted from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lines {
    passed: u64,
    /// So many are stored already, by whoever followed the attempt before.
    stored: u64,
}

/// Lines to chunks to the outbox.
struct Packer {
    lease: LeaseKey,
    outbox: Arc<Outbox>,
    builder: ChunkBuilder,
    limit: LogLimit,
    finished: Finished,
}

impl StepLog {
    /// A log from its beginning. What of it is stored, if it was another one's before, is left out as lines: masked and
    /// framed alike, the same bytes give the same lines.
    pub(super) fn new(
        shared: &Shared,
        lease: LeaseKey,
        masker: &Arc<Masker>,
        stored: StoredLog,
        mark: Option<&Mark>,
    ) -> Result<Self, SpoolError> {
        let limits = shared.options.limits;
        let bytes = |size: stroem_core::ByteSize| usize::try_from(size.as_bytes()).unwrap_or(usize::MAX);
        let frames = FrameLimits { line_bytes: bytes(limits.line), output_bytes: bytes(limits.output) };
        // Beyond its first half a log is stored only once its attempt has ended and its middle was cut out: then lines
        // cannot be counted any more.
        let is_cut = stored.raw_bytes > limits.log.as_bytes() / 2;
        let pipe = |framer, stream, stored, passed: Option<u64>| Pipe {
            mask: MaskStream::new(Arc::clone(masker)),
            framer,
            stream,
            lines: Lines {
                passed: passed.unwrap_or_default(),
                stored: if is_cut { u64::MAX } else { stored },
            },
        };
        let (stdout, stderr) = (mark.map(|mark| mark.stdout_lines), mark.map(|mark| mark.stderr_lines));
        let options = LogLimitOptions { log_bytes: limits.log, spool: SpoolOptions::default() };
        let passed = Passed { chunks: stored.next_seq, raw_bytes: stored.raw_bytes };
        let mut log = Self {
            masker: Arc::clone(masker),
            stdout: pipe(Framer::new(frames), LogStream::Stdout, stored.stdout_lines, stdout),
            stderr: pipe(Framer::lines_only(frames), LogStream::Stderr, stored.stderr_lines, stderr),
            packer: Packer {
                lease,
                outbox: Arc::clone(&shared.outbox),
                builder: ChunkBuilder::new(ChunkLimits::default()),
                limit: LogLimit::open(shared.dirs.tail(lease), options, passed)?,
                finished: Finished::default(),
            },
        };
        if is_cut {
            log.note(clock::now(), "the rest of the log was lost with the worker that held it");
        }
        Ok(log)
    }

    /// Takes bytes of the step.
    pub(super) fn output(&mut self, now: Timestamp, stream: OutputStream, bytes: &[u8]) {
        let Self { stdout, stderr, packer, .. } = self;
        let pipe = match stream {
            OutputStream::Stdout => stdout,
            OutputStream::Stderr => stderr,
        };
        let Pipe { mask, framer, stream, lines } = pipe;
        mask.push(bytes, &mut |masked| {
            framer.push(masked, &mut |frame| packer.new_frame(now, *stream, lines, frame));
        });
        self.flush_due(now);
    }

    /// How many lines of each stream there are before this place, if it is one where another one could begin: between
    /// lines, no secret begun, no output kept aside. All of them are in the outbox then.
    pub(super) fn mark(&mut self) -> Option<(u64, u64)> {
        let Self { stdout, stderr, packer, .. } = self;
        let is_idle = [&stdout, &stderr].iter().all(|pipe| pipe.mask.is_idle() && pipe.framer.is_idle());
        if !is_idle || packer.limit.has_tail() || packer.finished.written != Written::Nothing {
            return None;
        }
        if let Some(chunk) = packer.builder.flush() {
            packer.send(chunk);
        }
        // The last chunk may have been the first one of the tail.
        (!packer.limit.has_tail()).then_some((stdout.lines.passed, stderr.lines.passed))
    }

    /// Takes a sentence of ours.
    pub(super) fn note(&mut self, now: Timestamp, text: &str) {
        let masked = self.masker.mask_text(text);
        for line in masked.lines() {
            self.packer.frame(
                now,
                LogStream::Engine,
                Frame::Line { text: line.as_bytes(), continued: false },
            );
        }
        self.flush_due(now);
    }

    /// When [`Self::flush_due`] is to be called.
    pub(super) fn due_at(&self) -> Option<Timestamp> {
        self.packer.builder.due_at()
    }

    /// Sends lines that waited long enough.
    pub(super) fn flush_due(&mut self, now: Timestamp) {
        if self.packer.builder.is_due(now)
            && let Some(chunk) = self.packer.builder.flush()
        {
            self.packer.send(chunk);
        }
    }

    /// Whether the log cannot be kept, so that the step must not go on.
    pub(super) const fn failed(&self) -> bool {
        self.packer.finished.failure.is_some()
    }

    /// The streams ended: everything is in the outbox afterwards.
    pub(super) async fn finish(mut self) -> Finished {
        let now = clock::now();
        let Self { stdout, stderr, packer, .. } = &mut self;
        for Pipe { mask, framer, stream, lines } in [stdout, stderr] {
            mask.finish(&mut |masked| {
                framer.push(masked, &mut |frame| packer.new_frame(now, *stream, lines, frame));
            });
            framer.finish(&mut |frame| packer.new_frame(now, *stream, lines, frame));
        }
        if let Some(chunk) = packer.builder.flush() {
            packer.send(chunk);
        }
        while packer.release(now) {
            tokio::task::yield_now().await;
        }
        self.discard()
    }

    /// Somebody else goes on with the log: complete lines are sent, begun ones are not.
    pub(super) fn let_go(mut self) {
        if let Some(chunk) = self.packer.builder.flush() {
            self.packer.send(chunk);
        }
        self.discard();
    }

    /// Removes what the log has on the disk.
    pub(super) fn discard(self) -> Finished {
        let Packer { limit, finished, .. } = self.packer;
        if limit.has_tail()
            && let Err(error) = limit.remove()
        {
            tracing::warn!(%error, "the tail of a log cannot be removed");
        }
        finished
    }
}

impl Packer {
    /// A frame, unless it is a line that is stored already.
    fn new_frame(&mut self, now: Timestamp, stream: LogStream, lines: &mut Lines, frame: Frame<'_>) {
        if matches!(frame, Frame::Line { .. }) {
            lines.passed += 1;
            if lines.passed <= lines.stored {
                return;
            }
        }
        self.frame(now, stream, frame);
    }

    fn frame(&mut self, now: Timestamp, stream: LogStream, frame: Frame<'_>) {
        match frame {
            Frame::Line { text, continued } => {
                let line = LineRef { at: now, stream, continued, text };
                if let Some(chunk) = self.builder.push(now, line) {
                    self.send(chunk);
                }
            }
            Frame::Output(text) => self.finished.written = Written::Text(text.to_vec()),
            Frame::OutputTooLarge => self.finished.written = Written::TooLarge,
        }
    }

    fn send(&mut self, chunk: Chunk) {
        if self.finished.failure.is_some() {
            return;
        }
        let sent = match self.limit.admit(chunk) {
            Ok(Some(chunk)) => self.outbox.chunk(self.lease, chunk),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = sent {
            self.fail(&error);
        }
    }

    /// Sends the next chunk of the tail; false when there is none.
    fn release(&mut self, now: Timestamp) -> bool {
        match self.limit.release(now) {
            Ok(Some(chunk)) => match self.outbox.chunk(self.lease, chunk) {
                Ok(()) => true,
                Err(error) => {
                    self.fail(&error);
                    false
                }
            },
            Ok(None) => false,
            Err(error) => {
                self.fail(&error);
                false
            }
        }
    }

    fn fail(&mut self, error: &SpoolError) {
        let message = match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        tracing::error!(job.id = %self.lease.attempt.job, step = self.lease.attempt.step, %message, "a step's log cannot be kept; the step is stopped");
        self.finished.failure = Some(outcome(error, message));
    }
}

/// What an attempt comes to whose log cannot be kept.
pub(super) fn outcome(error: &SpoolError, message: String) -> Outcome {
    if error.is_disk_full() { Outcome::DiskFull { message } } else { Outcome::RunnerError { message } }
}
