//! How much of a container's log has arrived, so that a second look takes up where the first one ended. Pure.
//!
//! The engine gives each entry a time and can begin at a whole second. Of each stream it is known which second its last
//! entry had and how many entries with this or a later second arrived; a second look begins there and drops as many. The
//! parts of one long line all have the time of the first.
//!
//! Engines keep a long line in parts of one size, and some lose the line's end behind the last part. A part of another
//! size than the line's first is the last one; if something follows it, the end is put back.

use stroem_runner::OutputStream;

/// A stream without an entry for this long is taken to have none that is older than [`MARGIN_SECS`] and still to come.
const IDLE_SECS: i64 = 5;
const MARGIN_SECS: i64 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Stream {
    /// A second look at this stream begins here.
    since: i64,
    /// Entries from there on that arrived.
    count: u64,
    /// All that arrived.
    total: u64,
    last: i64,
    /// The size of the parts of the line that is open.
    part: Option<usize>,
    /// The open line had its last part.
    owes_end: bool,
    /// Entries that a second look still has to drop.
    drop: u64,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// It arrived before.
    Known,
    /// It did not.
    New,
    /// Nor did this one, and the end of the line before it was lost.
    NewAfterLostEnd,
}

/// The place in a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Position {
    streams: [Stream; 2],
}

impl Position {
    /// Where a second look begins, in seconds; what comes then goes through [`Self::take`] as the first did.
    pub(crate) fn resume(&mut self) -> i64 {
        for stream in &mut self.streams {
            stream.drop = stream.count;
        }
        self.streams.iter().map(|stream| stream.since).min().unwrap_or(0)
    }

    /// Whether the last line of a stream that ended had more parts and shows no end: it had one, most likely, and who
    /// takes lines sees no difference.
    pub(crate) fn owes_end(&self, stream: OutputStream) -> bool {
        self.streams[usize::from(stream == OutputStream::Stderr)].owes_end
    }

    /// Takes an entry.
    pub(crate) fn take(&mut self, stream: OutputStream, second: i64, text: &[u8]) -> Entry {
        let index = usize::from(stream == OutputStream::Stderr);
        let this = &mut self.streams[index];
        if this.drop > 0 {
            if second >= this.since {
                this.drop -= 1;
            }
            return Entry::Known;
        }
        this.count(second);
        let entry = if this.owes_end { Entry::NewAfterLostEnd } else { Entry::New };
        this.look_for_end(text);
        let is_open = |stream: &Stream| stream.part.is_some() && !stream.owes_end;
        let other = &mut self.streams[1 - index];
        if !is_open(other) && other.last < second - IDLE_SECS && other.since < second - MARGIN_SECS {
            (other.since, other.count) = (second - MARGIN_SECS, 0);
        }
        entry
    }
}

impl Stream {
    fn count(&mut self, second: i64) {
        self.total += 1;
        if second > self.last {
            (self.since, self.count, self.last) = (second, 1, second);
        } else if second >= self.since {
            self.count += 1;
        } else {
            // The engine's clock went back: from the beginning, then.
            (self.since, self.count) = (0, self.total);
        }
    }

    fn look_for_end(&mut self, text: &[u8]) {
        if self.owes_end {
            (self.owes_end, self.part) = (false, None);
        }
        if text.last() == Some(&b'\n') {
            self.part = None;
            return;
        }
        match self.part {
            None => self.part = Some(text.len()),
            Some(size) => self.owes_end = text.len() != size,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use OutputStream::{Stderr, Stdout};

    type Line = (OutputStream, i64, bool);

    /// Cuts the first look after each entry, looks again, and wants every entry once.
    #[track_caller]
    fn check(log: &[Line]) {
        check_cut(log, 0..=log.len());
    }

    #[track_caller]
    fn check_cut(log: &[Line], cuts: std::ops::RangeInclusive<usize>) {
        for cut in cuts {
            let mut position = Position::default();
            let take = |position: &mut Position, index: usize, taken: &mut Vec<usize>| {
                let (stream, second, ends_line) = log[index];
                let text: &[u8] = if ends_line { b"x\n" } else { b"xx" };
                if position.take(stream, second, text) != Entry::Known {
                    taken.push(index);
                }
            };
            let mut taken = Vec::new();
            (0..cut).for_each(|index| take(&mut position, index, &mut taken));
            for _ in 0..2 {
                let since = position.resume();
                for (index, entry) in log.iter().enumerate() {
                    if entry.1 >= since {
                        take(&mut position, index, &mut taken);
                    }
                }
            }
            assert_eq!(taken, (0..log.len()).collect::<Vec<_>>(), "cut after {cut} of {log:?}");
        }
    }

    #[test]
    fn a_second_look_gives_each_entry_once() {
        check(&[]);
        check(&[
            (Stdout, 10, true),
            (Stdout, 10, true),
            (Stderr, 10, true),
            (Stdout, 11, true),
            (Stdout, 11, true),
        ]);
        // One stream is silent for long and then speaks.
        check(&[
            (Stderr, 10, true),
            (Stdout, 10, true),
            (Stdout, 30, true),
            (Stderr, 30, true),
            (Stdout, 31, true),
        ]);
        // Parts of a long line keep its first time while the other stream goes on.
        check(&[
            (Stdout, 10, false),
            (Stderr, 20, true),
            (Stdout, 10, false),
            (Stderr, 21, true),
            (Stdout, 10, true),
        ]);
        // A clock that goes back, unless the connection breaks just then.
        let log = [
            (Stdout, 20, true),
            (Stdout, 20, true),
            (Stdout, 15, true),
            (Stdout, 16, true),
            (Stdout, 21, true),
        ];
        check_cut(&log, 3..=5);
    }

    #[test]
    fn a_silent_stream_does_not_make_the_second_look_long() {
        let mut position = Position::default();
        for second in 100..200 {
            position.take(Stdout, second, b"x\n");
        }
        assert_eq!(position.resume(), 197);
    }

    #[test]
    fn the_lost_end_of_a_long_line_is_put_back() {
        for (entries, expected) in [
            (&["xxxx", "xxxx", "x", "next\n", "more\n"][..], "xxxxxxxxx\nnext\nmore\n"),
            // The line is as long as its parts.
            (&["xxxx", "xxxx", "", "next\n"], "xxxxxxxx\nnext\n"),
            (&["xxxx", "xx", "yyyy", "y", "z\n"], "xxxxxx\nyyyyy\nz\n"),
            // An engine that loses nothing.
            (&["xxxx", "xxxx", "x\n", "next\n"], "xxxxxxxxx\nnext\n"),
            (&["xxxx", "tail"], "xxxxtail"),
            (&["line\n", "tail"], "line\ntail"),
        ] {
            let mut position = Position::default();
            let mut text = String::new();
            for entry in entries {
                if position.take(Stdout, 1, entry.as_bytes()) == Entry::NewAfterLostEnd {
                    text.push('\n');
                }
                text.push_str(entry);
            }
            assert_eq!(text, expected, "{entries:?}");
        }
    }
}
