//! Collects lines until a chunk is full or old enough. The clock is the caller's.

use std::time::Duration;

use stroem_core::{Timestamp, limits};

use super::{
    CHUNK_LINE_BYTES_MAX, CHUNK_LINES_MAX, CHUNK_RAW_BYTES_MAX, Chunk, LineRef,
    codec::{self, Encoder, Parts},
};

/// What stands at the end of a line that was over [`CHUNK_LINE_BYTES_MAX`].
const CUT_MARK: &[u8] = " … (the rest of this line is cut)".as_bytes();

/// When a chunk is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkLimits {
    /// Bytes of lines, each counting one more for its end. One longer line makes a larger chunk.
    pub raw_bytes: u64,
    /// The longest that a line waits.
    pub age: Duration,
    /// The longest that the first line after a quiet `age` waits, so that a live log feels immediate.
    pub quick_age: Duration,
}

impl Default for ChunkLimits {
    fn default() -> Self {
        Self {
            raw_bytes: limits::LOG_CHUNK.as_bytes(),
            age: Duration::from_millis(limits::LOG_CHUNK_AGE_MS),
            quick_age: Duration::from_millis(20),
        }
    }
}

/// Packs the lines of one attempt. Its memory is one chunk's bytes a few times over, kept between chunks; a line
/// costs no allocation.
pub struct ChunkBuilder {
    limits: ChunkLimits,
    next_seq: u64,
    encoder: Encoder,
    metas: Vec<u8>,
    texts: Vec<u8>,
    lines: u32,
    first_at: Timestamp,
    last_at: Timestamp,
    opened_at: Timestamp,
    due_at: Timestamp,
    last_push: Option<Timestamp>,
}

impl ChunkBuilder {
    /// For an attempt that has no chunks yet.
    pub fn new(limits: ChunkLimits) -> Self {
        let limits = ChunkLimits {
            raw_bytes: limits.raw_bytes.clamp(1, CHUNK_RAW_BYTES_MAX - CHUNK_LINE_BYTES_MAX as u64 - 1),
            ..limits
        };
        let zero = Timestamp::default();
        Self {
            limits,
            next_seq: 0,
            encoder: Encoder::default(),
            metas: Vec::new(),
            texts: Vec::new(),
            lines: 0,
            first_at: zero,
            last_at: zero,
            opened_at: zero,
            due_at: zero,
            last_push: None,
        }
    }

    /// Adds a line. When there is no room for it, the chunk before it is done and comes back.
    pub fn push(&mut self, now: Timestamp, line: LineRef<'_>) -> Option<Chunk> {
        let (text, mark) = match line.text.get(..CHUNK_LINE_BYTES_MAX - CUT_MARK.len()) {
            Some(head) if line.text.len() > CHUNK_LINE_BYTES_MAX => (head, CUT_MARK),
            _ => (line.text, [].as_slice()),
        };
        let length = text.len() + mark.len();
        let full =
            self.raw_bytes() + length as u64 + 1 > self.limits.raw_bytes || self.lines == CHUNK_LINES_MAX;
        let done = if full { self.flush() } else { None };
        if self.lines == 0 {
            self.open(now, line.at);
        }
        let delta = line.at.as_micros().wrapping_sub(self.last_at.as_micros());
        codec::write_meta(&mut self.metas, length, line.stream, line.continued, delta);
        self.texts.extend_from_slice(text);
        self.texts.extend_from_slice(mark);
        self.lines += 1;
        self.last_at = line.at;
        self.last_push = Some(now);
        if self.raw_bytes() >= self.limits.raw_bytes {
            self.due_at = now;
        }
        done
    }

    /// When [`Self::flush`] is to be called; none while there are no lines. May be in the past.
    pub fn due_at(&self) -> Option<Timestamp> {
        (self.lines > 0).then_some(self.due_at)
    }

    /// Whether [`Self::flush`] is to be called now. A clock that was set back counts as due.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.lines > 0 && (now >= self.due_at || now < self.opened_at)
    }

    /// Ends the chunk and gives it, if it has lines.
    pub fn flush(&mut self) -> Option<Chunk> {
        if self.lines == 0 {
            return None;
        }
        let parts = Parts {
            lines: self.lines,
            raw_bytes: self.raw_bytes(),
            first_at: self.first_at,
            last_at: self.last_at,
            metas: &self.metas,
            texts: &self.texts,
        };
        let chunk = Chunk {
            seq: self.next_seq,
            lines: parts.lines,
            raw_bytes: parts.raw_bytes,
            first_at: parts.first_at,
            last_at: parts.last_at,
            payload: self.encoder.encode(&parts),
        };
        self.next_seq += 1;
        self.lines = 0;
        self.metas.clear();
        self.texts.clear();
        let usual = self.limits.raw_bytes as usize * 4;
        if self.texts.capacity() > usual {
            self.texts = Vec::new();
        }
        self.encoder.shrink(usual.max(4 << 10));
        Some(chunk)
    }

    /// Bytes of the lines that wait, each counting one more for its end.
    pub fn raw_bytes(&self) -> u64 {
        self.texts.len() as u64 + u64::from(self.lines)
    }

    /// How many bytes its buffers can hold now, for tests and metrics; the compressor is not counted.
    pub fn buffer_capacity(&self) -> usize {
        self.metas.capacity() + self.texts.capacity() + self.encoder.capacity()
    }

    fn open(&mut self, now: Timestamp, first_at: Timestamp) {
        let quiet = self.last_push.is_none_or(|last| now.since(last) >= self.limits.age);
        self.opened_at = now;
        self.due_at = now.after(if quiet { self.limits.quick_age } else { self.limits.age });
        self.first_at = first_at;
        self.last_at = first_at;
    }
}

impl std::fmt::Debug for ChunkBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChunkBuilder")
            .field("next_seq", &self.next_seq)
            .field("lines", &self.lines)
            .finish_non_exhaustive()
    }
}
