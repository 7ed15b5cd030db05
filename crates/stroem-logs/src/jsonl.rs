//! One line as the API shows it. Here, and only here, bytes become text: what is not UTF-8 becomes U+FFFD.

use std::borrow::Cow;

use serde::Serialize;
use stroem_core::{AttemptNumber, Timestamp};

use crate::chunk::{LogLine, LogStream};

/// The shape `{"ts", "stream", "step", "line"}`. `attempt` is there when it was asked for, `continued` when the
/// text goes on from the line before it on the same stream.
#[derive(Debug, Clone, Serialize)]
pub struct JsonLine<'a> {
    /// When the line was read.
    pub ts: Timestamp,
    /// Where it came from.
    pub stream: LogStream,
    /// The step's name.
    pub step: &'a str,
    /// The attempt of the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<AttemptNumber>,
    /// Whether the text goes on from the line before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub continued: bool,
    /// The text.
    pub line: Cow<'a, str>,
}

impl<'a> JsonLine<'a> {
    /// The line of a step, without the attempt.
    pub fn new(line: &'a LogLine, step: &'a str) -> Self {
        Self {
            ts: line.at,
            stream: line.stream,
            step,
            attempt: None,
            continued: line.continued,
            line: String::from_utf8_lossy(&line.text),
        }
    }

    /// The same with the attempt.
    #[must_use]
    pub fn with_attempt(self, attempt: AttemptNumber) -> Self {
        Self { attempt: Some(attempt), ..self }
    }

    /// Appends the JSON, without a line end.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        serde_json::to_writer(out, self).expect("text, numbers and booleans into memory cannot fail");
    }
}

/// Appends the line's JSON and a line end.
pub fn render_line(out: &mut Vec<u8>, line: &LogLine, step: &str, attempt: Option<AttemptNumber>) {
    JsonLine { attempt, ..JsonLine::new(line, step) }.write_to(out);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &'static [u8], continued: bool, attempt: Option<u32>, expected: &str) {
        let line = LogLine {
            at: Timestamp::from_micros(1_795_508_611_123_456),
            stream: LogStream::Stdout,
            continued,
            text: text.into(),
        };
        let mut out = Vec::new();
        render_line(&mut out, &line, "say-hello", attempt.map(AttemptNumber));
        assert_eq!(String::from_utf8(out).expect("text"), format!("{expected}\n"));
    }

    #[test]
    fn lines_have_the_shape_of_the_api() {
        check(
            b"it's \"fine\"\t",
            false,
            None,
            r#"{"ts":"2026-11-24T08:23:31.123456Z","stream":"stdout","step":"say-hello","line":"it's \"fine\"\t"}"#,
        );
    }

    #[test]
    fn bytes_that_are_no_text_become_replacement_characters() {
        check(
            b"a\xFFb",
            true,
            Some(2),
            r#"{"ts":"2026-11-24T08:23:31.123456Z","stream":"stdout","step":"say-hello","attempt":2,"continued":true,"line":"a�b"}"#,
        );
    }
}
