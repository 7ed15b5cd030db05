//! A position in the log of a whole job. It must not know where chunks are kept.

use std::{fmt, str::FromStr};

/// The next line to read: `line` counts from 0 inside the job-wide chunk number `chunk`. The text form, which is
/// also the id of a streamed event, is `CHUNK-LINE`, for example `12-345`. A `line` equal to the number of lines
/// of its chunk means the beginning of the next chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Cursor {
    /// The job-wide number of the chunk.
    pub chunk: u64,
    /// The line inside the chunk, from 0.
    pub line: u32,
}

/// A text that is not a cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a position in a log (expected CHUNK-LINE, for example `12-345`)")]
pub struct CursorError(pub String);

impl Cursor {
    /// The beginning of a job's log.
    pub const START: Self = Self { chunk: 0, line: 0 };

    /// The beginning of a chunk.
    pub const fn at_chunk(chunk: u64) -> Self {
        Self { chunk, line: 0 }
    }

    /// The position after this line of the same chunk.
    #[must_use]
    pub const fn next_line(self) -> Self {
        Self { chunk: self.chunk, line: self.line.saturating_add(1) }
    }

    /// The beginning of the chunk after this one.
    #[must_use]
    pub const fn next_chunk(self) -> Self {
        Self { chunk: self.chunk.saturating_add(1), line: 0 }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.chunk, self.line)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        text.split_once('-')
            .filter(|(chunk, line)| digits(chunk) && digits(line))
            .and_then(|(chunk, line)| Some(Self { chunk: chunk.parse().ok()?, line: line.parse().ok()? }))
            .ok_or_else(|| CursorError(text.to_owned()))
    }
}

impl serde::Serialize for Cursor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Cursor {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_round_trips_and_sorts_like_the_log() {
        for (chunk, line, text) in
            [(0, 0, "0-0"), (12, 345, "12-345"), (u64::MAX, u32::MAX, "18446744073709551615-4294967295")]
        {
            let cursor = Cursor { chunk, line };
            assert_eq!((cursor.to_string().as_str(), text.parse()), (text, Ok(cursor)));
            assert_eq!(serde_json::from_value::<Cursor>(serde_json::json!(text)).expect("parses"), cursor);
        }
        assert!(Cursor { chunk: 9, line: 9 }.next_line() < Cursor::at_chunk(9).next_chunk());
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in ["", "-", "1", "1-", "-1", "1-2-3", "+1-2", "1-+2", " 1-2", "1-4294967296", "a-b"] {
            assert_eq!(bad.parse::<Cursor>(), Err(CursorError(bad.to_owned())));
        }
    }
}
