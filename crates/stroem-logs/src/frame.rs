//! Lines out of a byte stream in pieces. Works on bytes: it must not know about text, time or streams.

use memchr::memchr;
use stroem_core::limits;

/// What marks a line as the step's output, at the very beginning of the line.
pub const OUTPUT_PREFIX: &[u8] = b"OUTPUT:";

/// White space around an output that does not count against its limit.
const OUTPUT_SPACE: usize = 64;

/// The shortest line limit; the output prefix must fit into an undecided line.
const LINE_BYTES_MIN: usize = 16;

/// How long a line and an output may be, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameLimits {
    /// Longer lines are given in pieces. At least 16.
    pub line_bytes: usize,
    /// Longer outputs are dropped and reported.
    pub output_bytes: usize,
}

impl Default for FrameLimits {
    fn default() -> Self {
        Self {
            line_bytes: limits::LOG_LINE.as_bytes() as usize,
            output_bytes: limits::STEP_OUTPUT.as_bytes() as usize,
        }
    }
}

/// What a [`Framer`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A line, or a piece of one, without its line end.
    Line {
        /// The bytes, of any kind.
        text: &'a [u8],
        /// Whether this goes on from the piece before, because the line was longer than the limit.
        continued: bool,
    },
    /// What stood after `OUTPUT:`, without white space around it. It is not given as a line too.
    Output(&'a [u8]),
    /// An output over the limit; the rest of its line is dropped.
    OutputTooLarge,
}

/// Splits at `\n` and takes one `\r` before it off. A line over the limit comes in pieces, cut between UTF-8
/// characters where there are any; a line that begins with `OUTPUT:` is kept whole up to its own limit. What
/// comes out depends on the bytes alone, never on how they were cut for [`Framer::push`], and no more than the
/// larger of the two limits is ever held.
#[derive(Debug)]
pub struct Framer {
    limits: FrameLimits,
    recognises_output: bool,
    line: Vec<u8>,
    continued: bool,
    dropping: bool,
}

impl Framer {
    /// For a standard output: recognises `OUTPUT:`.
    pub fn new(limits: FrameLimits) -> Self {
        let limits = FrameLimits { line_bytes: limits.line_bytes.max(LINE_BYTES_MIN), ..limits };
        Self { limits, recognises_output: true, line: Vec::new(), continued: false, dropping: false }
    }

    /// For a standard error: `OUTPUT:` is nothing special there.
    pub fn lines_only(limits: FrameLimits) -> Self {
        Self { recognises_output: false, ..Self::new(limits) }
    }

    /// Takes the next bytes and gives every frame that they complete.
    pub fn push(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Frame<'_>)) {
        let mut rest = bytes;
        while let Some(end) = memchr(b'\n', rest) {
            let part = &rest[..end];
            rest = &rest[end + 1..];
            let whole = self.line.is_empty() && !self.continued && !self.dropping;
            if whole && part.len() <= self.limits.line_bytes && !self.is_output(part) {
                sink(Frame::Line { text: without_carriage_return(part), continued: false });
            } else {
                self.extend(part, sink);
                self.close(sink);
            }
        }
        self.extend(rest, sink);
    }

    /// Gives what is left when the stream has ended without a line end.
    pub fn finish(&mut self, sink: &mut dyn FnMut(Frame<'_>)) {
        if !self.line.is_empty() && !self.is_output(&self.line) {
            while self.line.len() > self.limits.line_bytes {
                self.cut_line(sink);
            }
            sink(Frame::Line { text: &self.line, continued: self.continued });
            self.reset();
        } else if self.line.is_empty() {
            self.reset();
        } else {
            self.close(sink);
        }
    }

    /// Whether it is between two lines.
    pub fn is_idle(&self) -> bool {
        self.line.is_empty() && !self.continued && !self.dropping
    }

    /// How many bytes its buffer can hold now, for tests and metrics.
    pub fn buffer_capacity(&self) -> usize {
        self.line.capacity()
    }

    fn is_output(&self, line: &[u8]) -> bool {
        self.recognises_output && !self.continued && line.starts_with(OUTPUT_PREFIX)
    }

    /// The most bytes the buffer needs before something can be cut from it or given up.
    fn room_needed(&self) -> usize {
        if self.is_output(&self.line) {
            OUTPUT_PREFIX.len() + self.limits.output_bytes + OUTPUT_SPACE + 1
        } else {
            // A piece, one `\r` that may belong to the line end, and the byte that decides.
            self.limits.line_bytes + 2
        }
    }

    fn extend(&mut self, mut part: &[u8], sink: &mut dyn FnMut(Frame<'_>)) {
        while !part.is_empty() && !self.dropping {
            let most = self.room_needed();
            let taken = part.len().min(most - self.line.len());
            reserve_within(&mut self.line, taken, most);
            self.line.extend_from_slice(&part[..taken]);
            part = &part[taken..];
            self.relieve(sink);
        }
    }

    /// Cuts pieces off a line that is over its limit, gives up an output that is over its own.
    fn relieve(&mut self, sink: &mut dyn FnMut(Frame<'_>)) {
        if self.is_output(&self.line) {
            if self.line.len() >= self.room_needed() {
                sink(Frame::OutputTooLarge);
                self.line = Vec::new();
                self.dropping = true;
            }
            return;
        }
        let limit = self.limits.line_bytes;
        while self.line.len() > limit && !(self.line.len() == limit + 1 && self.line.ends_with(b"\r")) {
            self.cut_line(sink);
        }
    }

    fn cut_line(&mut self, sink: &mut dyn FnMut(Frame<'_>)) {
        let end = character_boundary(&self.line, self.limits.line_bytes);
        sink(Frame::Line { text: &self.line[..end], continued: self.continued });
        self.line.drain(..end);
        self.continued = true;
    }

    /// Ends the buffered line.
    fn close(&mut self, sink: &mut dyn FnMut(Frame<'_>)) {
        if self.is_output(&self.line) {
            let output = self.line[OUTPUT_PREFIX.len()..].trim_ascii();
            let fits = output.len() <= self.limits.output_bytes;
            sink(if fits { Frame::Output(output) } else { Frame::OutputTooLarge });
        } else if !self.dropping {
            sink(Frame::Line { text: without_carriage_return(&self.line), continued: self.continued });
        }
        self.reset();
    }

    fn reset(&mut self) {
        if self.line.capacity() > self.limits.line_bytes + 2 {
            self.line = Vec::new();
        }
        self.line.clear();
        self.continued = false;
        self.dropping = false;
    }
}

fn without_carriage_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The last place at or before `limit` that does not cut a UTF-8 character in two; `limit` itself when the bytes
/// around it are not UTF-8. `limit` must be below the line's length.
fn character_boundary(line: &[u8], limit: usize) -> usize {
    let continuation = |index: usize| line[index] & 0xC0 == 0x80;
    (limit - 3..=limit)
        .rev()
        .find(|index| !continuation(*index))
        .filter(|index| line[*index] >= 0xC0)
        .unwrap_or(limit)
}

/// Grows by doubling, never past `most`.
fn reserve_within(buffer: &mut Vec<u8>, additional: usize, most: usize) {
    let needed = buffer.len() + additional;
    if needed > buffer.capacity() {
        let target = needed.max((buffer.capacity() * 2).min(most));
        buffer.reserve_exact(target - buffer.len());
    }
}

#[cfg(test)]
mod tests;
