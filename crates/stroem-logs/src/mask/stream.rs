//! Hides secrets in one stream that arrives in pieces.

use std::{fmt, ops::Range, sync::Arc};

use aho_corasick::automaton::StateID;

use super::{MASK, Masker};

/// Masks one stream. What comes out depends on the bytes alone, never on how they were cut.
///
/// Held back is only what cannot be decided yet: the longest end of the stream that may still become a secret,
/// so a line appears as soon as it is complete unless its end begins a secret. That is never more than the longest
/// pattern. Bytes that pass are handed on as slices of the caller's buffer, without a copy.
pub struct MaskStream {
    masker: Arc<Masker>,
    state: StateID,
    /// How many bytes were read in all. The positions below count from the beginning of the stream too.
    position: u64,
    /// The last bytes that were read and not handed on, up to `position`.
    held: Vec<u8>,
    /// Up to here everything is handed on or hidden by a mask that was handed on.
    settled: u64,
    /// Found and not handed on yet, because an earlier secret may overlap. In order, apart from each other.
    pending: Vec<Range<u64>>,
}

impl MaskStream {
    /// At the beginning of a stream.
    pub fn new(masker: Arc<Masker>) -> Self {
        let state = masker.patterns.as_ref().map_or(StateID::ZERO, super::Patterns::start);
        Self { masker, state, position: 0, held: Vec::new(), settled: 0, pending: Vec::new() }
    }

    /// Takes the next bytes and gives, in pieces, all that is decided.
    pub fn push(&mut self, bytes: &[u8], sink: &mut dyn FnMut(&[u8])) {
        let Self { masker, state, position, settled, pending, .. } = self;
        let Some(patterns) = &masker.patterns else {
            if !bytes.is_empty() {
                sink(bytes);
            }
            return;
        };
        *state = patterns.scan(*state, bytes, *position, &mut |found| note(settled, pending, found));
        let decided = *position + bytes.len() as u64 - patterns.depth(*state);
        self.hand_on(bytes, decided, sink);
    }

    /// Gives what was held back when the stream has ended, and is ready for another one.
    pub fn finish(&mut self, sink: &mut dyn FnMut(&[u8])) {
        self.hand_on(&[], self.position, sink);
        *self = Self::new(Arc::clone(&self.masker));
    }

    /// Whether nothing is held back: what follows comes out as at the beginning of a stream.
    pub fn is_idle(&self) -> bool {
        self.held.is_empty() && self.pending.is_empty()
    }

    /// How many bytes its buffer can hold now, for tests and metrics.
    pub fn buffer_capacity(&self) -> usize {
        self.held.capacity() + self.pending.capacity() * size_of::<Range<u64>>()
    }

    /// Hands on everything before `decided`, where no secret can begin any more, and keeps the rest.
    fn hand_on(&mut self, bytes: &[u8], decided: u64, sink: &mut dyn FnMut(&[u8])) {
        let window = Window { start: self.position - self.held.len() as u64, held: &self.held, bytes };
        let mut settled = self.settled.max(window.start);
        let known = self.pending.partition_point(|secret| secret.start <= decided);
        for secret in self.pending.drain(..known) {
            window.hand_on(settled..secret.start, sink);
            sink(MASK.as_bytes());
            settled = secret.end;
        }
        if decided > settled {
            window.hand_on(settled..decided, sink);
            settled = decided;
        }
        let gone = (settled - window.start) as usize;
        let gone_of_held = gone.min(self.held.len());
        let gone_of_bytes = gone - gone_of_held;
        self.held.drain(..gone_of_held);
        self.held.extend_from_slice(&bytes[gone_of_bytes..]);
        self.position += bytes.len() as u64;
        self.settled = settled;
    }
}

impl fmt::Debug for MaskStream {
    /// Without the bytes that are held: they are the beginning of a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaskStream").field("position", &self.position).finish_non_exhaustive()
    }
}

/// What is held and what has just arrived, as one.
struct Window<'a> {
    start: u64,
    held: &'a [u8],
    bytes: &'a [u8],
}

impl Window<'_> {
    fn hand_on(&self, range: Range<u64>, sink: &mut dyn FnMut(&[u8])) {
        let [from, to] = [range.start, range.end].map(|position| (position - self.start) as usize);
        let split = self.held.len();
        let held = &self.held[from.min(split)..to.min(split)];
        let bytes = &self.bytes[from.max(split) - split..to.max(split) - split];
        for piece in [held, bytes] {
            if !piece.is_empty() {
                sink(piece);
            }
        }
    }
}

/// Adds what was found, as one with everything it overlaps. Ends only grow, so the newest is always the last.
fn note(settled: &mut u64, pending: &mut Vec<Range<u64>>, mut found: Range<u64>) {
    if found.start < *settled {
        pending.clear();
        *settled = found.end;
        return;
    }
    while let Some(last) = pending.pop_if(|last| last.end > found.start) {
        found.start = found.start.min(last.start);
    }
    pending.push(found);
}
