//! Finds patterns in a stream, byte by byte: an Aho-Corasick automaton and, for each of its states, how much of
//! the stream's end may still become a pattern.

use std::ops::Range;

use aho_corasick::{
    Anchored, MatchKind,
    automaton::{Automaton, StateID},
    dfa, nfa,
};

/// Up to this many bytes of patterns the fast, large automaton is used (at most 1 KiB a byte), above it the
/// compact one.
const FAST_PATTERN_BYTES: usize = 2 << 10;

enum Machine {
    Fast(dfa::DFA),
    Compact(nfa::contiguous::NFA),
}

pub(super) struct Patterns {
    machine: Machine,
    start: StateID,
    /// Sorted by state: the length of the longest end of the stream that begins a pattern.
    depths: Vec<(StateID, u32)>,
}

impl Patterns {
    /// `forms` must not be empty.
    pub(super) fn new(forms: &[String]) -> Self {
        const FITS: &str = "the sizes of secrets are limited far below the 2^31 states of the automaton";
        let total: usize = forms.iter().map(String::len).sum();
        if total <= FAST_PATTERN_BYTES {
            // Prefilters are no use to who asks for every state.
            let machine = dfa::DFA::builder()
                .match_kind(MatchKind::Standard)
                .prefilter(false)
                .build(forms)
                .expect(FITS);
            let (start, depths) = states(&machine, forms);
            Self { machine: Machine::Fast(machine), start, depths }
        } else {
            let machine = nfa::contiguous::NFA::builder()
                .match_kind(MatchKind::Standard)
                .prefilter(false)
                .build(forms)
                .expect(FITS);
            let (start, depths) = states(&machine, forms);
            Self { machine: Machine::Compact(machine), start, depths }
        }
    }

    /// The state before the first byte.
    pub(super) const fn start(&self) -> StateID {
        self.start
    }

    /// Reads bytes that stand at `position` in the stream and reports, for each place where patterns end, the
    /// longest one. Ends come in increasing order.
    pub(super) fn scan(
        &self,
        state: StateID,
        bytes: &[u8],
        position: u64,
        found: &mut impl FnMut(Range<u64>),
    ) -> StateID {
        match &self.machine {
            Machine::Fast(machine) => scan(machine, state, bytes, position, found),
            Machine::Compact(machine) => scan(machine, state, bytes, position, found),
        }
    }

    /// How many bytes at the end of what was read are the beginning of a pattern, or all of one.
    pub(super) fn depth(&self, state: StateID) -> u64 {
        self.depths
            .binary_search_by_key(&state, |(known, _)| *known)
            .map_or(0, |index| u64::from(self.depths[index].1))
    }
}

fn scan<A: Automaton>(
    machine: &A,
    mut state: StateID,
    bytes: &[u8],
    position: u64,
    found: &mut impl FnMut(Range<u64>),
) -> StateID {
    for (index, byte) in bytes.iter().enumerate() {
        state = machine.next_state(Anchored::No, state, *byte);
        if machine.is_special(state) && machine.is_match(state) {
            let end = position + index as u64 + 1;
            let longest = (0..machine.match_len(state))
                .map(|nth| machine.pattern_len(machine.match_pattern(state, nth)) as u64)
                .max()
                .unwrap_or(0);
            found(end - longest..end);
        }
    }
    state
}

/// Reading the beginning of a pattern leads to the state that stands for exactly that beginning, so a walk along
/// every pattern meets all states but the start.
fn states<A: Automaton>(machine: &A, forms: &[String]) -> (StateID, Vec<(StateID, u32)>) {
    let start =
        machine.start_state(Anchored::No).expect("unanchored search is the default of every automaton");
    let mut depths = Vec::new();
    for form in forms {
        let mut state = start;
        for (index, byte) in form.bytes().enumerate() {
            state = machine.next_state(Anchored::No, state, byte);
            depths.push((state, index as u32 + 1));
        }
    }
    depths.sort_unstable();
    depths.dedup();
    (start, depths)
}
