//! Reads the kubelet's log stream: every entry begins with its time and a space. Entries longer than 16 KiB come in
//! pieces, and old kubelets put a time before each piece without a line end between. Pure.
//!
//! Remembers how far it came, so that a second stream that begins earlier adds nothing twice and loses nothing: what it
//! has is counted by (time, ordinal).

use jiff::Timestamp;

/// Bytes of a piece.
const PIECE: usize = 16 << 10;
/// The longest time with its space.
const HEADER: usize = 40;

/// Takes a stream apart.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    position: Position,
    resume: Option<Resume>,
    place: Place,
    /// The beginning of a time.
    header: Vec<u8>,
    /// Bytes of the current piece.
    piece: usize,
    /// The current line has begun and not ended.
    in_entry: bool,
    skip: Skip,
    /// A second stream began after what was taken.
    has_loss: bool,
}

/// Where the reading is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Where an entry's time is expected.
    #[default]
    Header,
    Content,
    /// In a line of the kubelet's own.
    Odd,
}

/// What of the current entry is known already.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Skip {
    #[default]
    Nothing,
    /// This much of it.
    Bytes(usize),
    All,
}

/// What was taken.
#[derive(Debug, Default, Clone, Copy)]
struct Position {
    /// The whole second that a new stream asks for.
    window: i64,
    /// The first entry in it.
    first: Option<Timestamp>,
    /// Entries that began since then, the current one included.
    count: u64,
    last: Option<Timestamp>,
    /// Entries that began at `last`.
    at_last: u64,
    /// Bytes of the current entry.
    taken: usize,
    is_complete: bool,
}

/// Compares a second stream with the position at its beginning.
#[derive(Debug)]
struct Resume {
    known: Position,
    /// The stream begins with the entry that the window began with, so counting is exact. Else a rotation took what was
    /// before, and times decide.
    counts: Option<bool>,
    seen: u64,
    seen_at_last: u64,
}

impl Entries {
    /// From when a new stream has to begin; nothing when nothing was taken.
    pub(crate) fn since(&self) -> Option<Timestamp> {
        self.position.first.and_then(|_| Timestamp::from_second(self.position.window).ok())
    }

    /// Where it is, between two entries, as a text for [`Self::at`].
    pub(crate) fn place(&self) -> Option<String> {
        let Position { window, first, count, last, at_last, is_complete, .. } = self.position;
        let is_between = is_complete && !self.in_entry && self.header.is_empty() && self.resume.is_none();
        let (first, last) = (first?, last?);
        is_between.then(|| format!("{window} {first} {count} {last} {at_last}"))
    }

    /// What goes on from a place.
    pub(crate) fn at(place: &str) -> Option<Self> {
        let mut words = place.split(' ');
        let position = Position {
            window: words.next()?.parse().ok()?,
            first: Some(words.next()?.parse().ok()?),
            count: words.next()?.parse().ok()?,
            last: Some(words.next()?.parse().ok()?),
            at_last: words.next()?.parse().ok()?,
            taken: 0,
            is_complete: true,
        };
        words.next().is_none().then(|| Self { position, ..Self::default() })
    }

    /// Whether something was lost between two streams; once.
    pub(crate) fn take_loss(&mut self) -> bool {
        std::mem::take(&mut self.has_loss)
    }

    /// A new stream begins, with what [`Self::since`] gave.
    pub(crate) fn reconnect(&mut self) {
        let known = self.position;
        let resume = known.first.map(|_| Resume { known, counts: None, seen: 0, seen_at_last: 0 });
        *self = Self { position: known, resume, ..Self::default() };
    }

    /// Takes bytes of the stream; gives new content to `content` and lines without a time to `odd`.
    pub(crate) fn push(&mut self, mut bytes: &[u8], content: &mut Vec<u8>, odd: &mut Vec<u8>) {
        while !bytes.is_empty() {
            bytes = match self.place {
                Place::Header => self.take_header(bytes, content, odd),
                Place::Content => self.take_content(bytes, content),
                Place::Odd => {
                    let (line, rest) = bytes.split_at(line_end(bytes));
                    odd.extend_from_slice(line);
                    if line.ends_with(b"\n") {
                        self.place = Place::Header;
                    }
                    rest
                }
            };
        }
    }

    fn take_header<'a>(&mut self, bytes: &'a [u8], content: &mut Vec<u8>, odd: &mut Vec<u8>) -> &'a [u8] {
        let room = HEADER - self.header.len();
        let end = bytes.iter().take(room).position(|byte| matches!(byte, b' ' | b'\n'));
        let (beginning, rest) = bytes.split_at(end.unwrap_or(room.min(bytes.len())));
        self.header.extend_from_slice(beginning);
        if end.is_none() && self.header.len() < HEADER {
            return rest;
        }
        let time = std::str::from_utf8(&self.header).ok().and_then(|text| text.parse::<Timestamp>().ok());
        match (time, rest.split_first()) {
            (Some(time), Some((b' ', rest))) => {
                self.header.clear();
                self.begin(time);
                rest
            }
            _ => {
                self.not_a_time(content, odd);
                rest
            }
        }
    }

    /// What was taken for a time belongs to the line: to a long one that goes on without, or to one of the kubelet's own.
    fn not_a_time(&mut self, content: &mut Vec<u8>, odd: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.header);
        if self.in_entry {
            self.place = Place::Content;
            let rest = self.take_content(&held, content);
            debug_assert!(rest.is_empty(), "it holds no line end and is shorter than a piece");
        } else {
            self.place = Place::Odd;
            odd.extend_from_slice(&held);
        }
    }

    fn begin(&mut self, time: Timestamp) {
        self.skip = self.resume.as_mut().map_or(Skip::Nothing, |resume| resume.known(time));
        if self.skip != Skip::All
            && let Some(resume) = self.resume.take()
        {
            self.has_loss = self.skip == Skip::Nothing && resume.is_apart();
        }
        if self.skip == Skip::Nothing {
            self.position.begin(time);
        }
        (self.place, self.piece, self.in_entry) = (Place::Content, 0, true);
    }

    fn take_content<'a>(&mut self, bytes: &'a [u8], content: &mut Vec<u8>) -> &'a [u8] {
        let (taken, rest) = bytes.split_at(line_end(bytes).min(PIECE - self.piece));
        self.piece += taken.len();
        let ends = taken.ends_with(b"\n");
        if self.skip != Skip::All {
            let known = match self.skip {
                Skip::Bytes(known) => known.min(taken.len()),
                Skip::Nothing | Skip::All => 0,
            };
            if let Skip::Bytes(left) = &mut self.skip {
                *left -= known;
            }
            content.extend_from_slice(&taken[known..]);
            self.position.taken += taken.len() - known;
            self.position.is_complete |= ends;
        }
        if ends || self.piece == PIECE {
            // After a full piece there is a time, or the line goes on without one.
            (self.place, self.piece, self.in_entry) = (Place::Header, 0, !ends);
        }
        rest
    }
}

impl Position {
    fn begin(&mut self, time: Timestamp) {
        if self.first.is_none() || time.as_second() > self.window {
            self.window = time.as_second();
            self.first = Some(time);
            self.count = 0;
        }
        if time.as_second() >= self.window {
            self.count += 1;
        }
        match self.last {
            Some(last) if time < last => {}
            Some(last) if time == last => self.at_last += 1,
            _ => (self.last, self.at_last) = (Some(time), 1),
        }
        (self.taken, self.is_complete) = (0, false);
    }
}

impl Resume {
    /// Whether nothing of what was taken is in the second stream, so that entries between may be lost.
    fn is_apart(&self) -> bool {
        self.counts == Some(false) && self.seen_at_last == 0
    }

    fn known(&mut self, time: Timestamp) -> Skip {
        let counts = *self.counts.get_or_insert(self.known.first == Some(time));
        let known = self.known;
        let (before, current) = if counts {
            self.seen += 1;
            (self.seen < known.count, self.seen == known.count)
        } else {
            if known.last == Some(time) {
                self.seen_at_last += 1;
            }
            let order = known.last.map_or(std::cmp::Ordering::Greater, |last| time.cmp(&last));
            let before = order.is_lt() || (order.is_eq() && self.seen_at_last < known.at_last);
            (before, order.is_eq() && self.seen_at_last == known.at_last)
        };
        match (before, current) {
            (true, _) => Skip::All,
            (false, true) if known.is_complete => Skip::All,
            (false, true) => Skip::Bytes(known.taken),
            (false, false) => Skip::Nothing,
        }
    }
}

/// The length of what is left of a line, its end included.
fn line_end(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: [&str; 4] = [
        "2026-01-02T03:04:05.000000001Z",
        "2026-01-02T03:04:05.000000002Z",
        "2026-01-02T03:04:06.000000000Z",
        "2026-01-02T05:04:06.5+02:00",
    ];

    /// Pushes in pieces of every size and gives what came.
    fn take(entries: &mut Entries, stream: &[u8], size: usize) -> (String, String) {
        let (mut content, mut odd) = (Vec::new(), Vec::new());
        stream.chunks(size).for_each(|bytes| entries.push(bytes, &mut content, &mut odd));
        (String::from_utf8(content).expect("text"), String::from_utf8(odd).expect("text"))
    }

    #[test]
    fn times_are_taken_off_whatever_the_pieces() {
        let stream = format!("{} one\n{} \n{} 2026 three\n{} tail", T[0], T[1], T[2], T[3]);
        for size in 1..80 {
            let (content, odd) = take(&mut Entries::default(), stream.as_bytes(), size);
            assert_eq!((content.as_str(), odd.as_str()), ("one\n\n2026 three\ntail", ""), "{size}");
        }
    }

    #[test]
    fn long_lines_are_joined_with_and_without_times_between() {
        let (a, b) = ("a".repeat(PIECE), "b b".repeat(PIECE / 3) + "b");
        let with = format!("{} {a}{} {b}{} c\n{} next\n", T[0], T[0], T[0], T[1]);
        let without = format!("{} {a}{b}c\n{} next\n", T[0], T[1]);
        for stream in [with, without] {
            for size in [7, 1_000, 16_400, 100_000] {
                let (content, odd) = take(&mut Entries::default(), stream.as_bytes(), size);
                assert_eq!(content, format!("{a}{b}c\nnext\n"), "{size}");
                assert_eq!(odd, "");
            }
        }
    }

    #[test]
    fn lines_of_the_kubelet_are_told_apart() {
        let stream = format!("{} one\nunable to retrieve container logs\n{} two\n", T[0], T[1]);
        let taken = take(&mut Entries::default(), stream.as_bytes(), 9);
        assert_eq!(taken, ("one\ntwo\n".to_owned(), "unable to retrieve container logs\n".to_owned()));
    }

    /// Cuts a stream at every byte and goes on with a second one that begins at `since`.
    fn cut(lines: &[(&str, &str)], from_start: bool) {
        let all: String = lines.iter().map(|(time, text)| format!("{time} {text}")).collect();
        let expected: String = lines.iter().map(|(_, text)| *text).collect();
        for at in 0..all.len() {
            let mut entries = Entries::default();
            let (mut content, _) = take(&mut entries, &all.as_bytes()[..at], 5);
            let since = entries.since().filter(|_| !from_start);
            entries.reconnect();
            let again = lines.iter().filter(|(time, _)| {
                since.is_none_or(|since| time.parse::<Timestamp>().expect("a time") >= since)
            });
            let again: String = again.map(|(time, text)| format!("{time} {text}")).collect();
            content += &take(&mut entries, again.as_bytes(), 5).0;
            assert_eq!(content, expected, "cut at {at}");
        }
    }

    #[test]
    fn a_second_stream_adds_what_is_missing_and_nothing_twice() {
        cut(
            &[(T[0], "a\n"), (T[0], "a\n"), (T[1], "bb\n"), (T[2], "c\n"), (T[2], "c\n"), (T[3], "tail")],
            false,
        );
    }

    #[test]
    fn entries_out_of_order_are_counted() {
        cut(&[(T[1], "a\n"), (T[0], "b\n"), (T[1], "c\n"), (T[0], "d\n"), (T[2], "e\n")], false);
    }

    #[test]
    fn a_stream_whose_beginning_was_rotated_away_is_compared_by_time() {
        let mut entries = Entries::default();
        let first = format!("{} a\n{} b\n{} c\n", T[0], T[0], T[1]);
        assert_eq!(take(&mut entries, first.as_bytes(), 100).0, "a\nb\nc\n");
        entries.reconnect();
        let second = format!("{} c\n{} d\n", T[1], T[1]);
        assert_eq!(take(&mut entries, second.as_bytes(), 100).0, "d\n");
    }

    #[test]
    fn a_place_is_where_another_reader_goes_on() {
        let all: String =
            T.iter().zip(["a", "b", "c", "d"]).map(|(time, text)| format!("{time} {text}\n")).collect();
        for (lines, rest) in [(1, "b\nc\nd\n"), (2, "c\nd\n"), (3, "d\n"), (4, "")] {
            let mut first = Entries::default();
            let taken: String = all.split_inclusive('\n').take(lines).collect();
            take(&mut first, taken.as_bytes(), 7);
            let place = first.place().expect("between two entries");
            let mut second = Entries::at(&place).expect("a place");
            assert_eq!(second.since(), first.since());
            second.reconnect();
            assert_eq!(take(&mut second, all.as_bytes(), 7).0, rest);
            assert!(!second.take_loss());
        }
        assert_eq!(Entries::default().place(), None);
        let mut begun = Entries::default();
        take(&mut begun, format!("{} a", T[0]).as_bytes(), 7);
        assert_eq!(begun.place(), None, "in the middle of a line");
    }

    #[test]
    fn a_gap_between_two_streams_is_noticed() {
        let mut entries = Entries::default();
        take(&mut entries, format!("{} a\n", T[0]).as_bytes(), 100);
        entries.reconnect();
        assert_eq!(take(&mut entries, format!("{} c\n{} d\n", T[2], T[3]).as_bytes(), 100).0, "c\nd\n");
        assert!(entries.take_loss());
        assert!(!entries.take_loss());
    }

    #[test]
    fn long_lines_survive_a_cut_at_a_piece() {
        let (a, b) = ("a".repeat(PIECE), "b".repeat(PIECE));
        let stream = format!("{} {a}{} {b}{} c\n{} next\n", T[0], T[0], T[0], T[1]);
        let header = T[0].len() + 1;
        for at in [
            header + PIECE - 1,
            header + PIECE,
            header + PIECE + 3,
            2 * (header + PIECE) - 1,
            2 * (header + PIECE),
        ] {
            let mut entries = Entries::default();
            let (mut content, _) = take(&mut entries, &stream.as_bytes()[..at], 1_000);
            entries.reconnect();
            content += &take(&mut entries, stream.as_bytes(), 1_000).0;
            assert_eq!(content, format!("{a}{b}c\nnext\n"), "cut at {at}");
        }
    }
}
