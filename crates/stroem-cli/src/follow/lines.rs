//! Lines of a log as text. Pure.

use std::{borrow::Cow, fmt::Write as _};

use stroem_api::public::LogLine;

/// What stands before each line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prefix {
    /// The step's name.
    Step,
    /// Nothing: all lines are of one step.
    Nothing,
}

/// How lines look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// With ANSI colours.
    pub(super) color: bool,
    /// Without control sequences that move the cursor, which would break the live view.
    pub(super) tame: bool,
}

/// `step | text`; the sign is `*` where Strøm itself speaks and `+` where a line over the limit goes on.
pub(super) fn text(lines: &[LogLine], prefix: Prefix, shape: Shape) -> String {
    let dim = console::Style::new().dim().force_styling(shape.color);
    let name = console::Style::new().cyan().force_styling(shape.color);
    let mut text = String::new();
    for line in lines {
        let engine = line.stream == "engine";
        let sign = match (engine, line.continued) {
            (true, _) => "*",
            (false, true) => "+",
            (false, false) => "|",
        };
        let shown = if shape.tame { tame(&line.line) } else { Cow::Borrowed(line.line.as_str()) };
        let shown = if engine { Cow::Owned(dim.apply_to(shown).to_string()) } else { shown };
        // Writing to a String cannot fail.
        let _infallible = match prefix {
            Prefix::Step => writeln!(text, "{} {} {shown}", name.apply_to(&line.step), dim.apply_to(sign)),
            Prefix::Nothing if engine => writeln!(text, "{} {shown}", dim.apply_to(sign)),
            Prefix::Nothing => writeln!(text, "{shown}"),
        };
    }
    text
}

/// A JSON object on a line each.
pub(super) fn json(lines: &[LogLine]) -> String {
    let mut text = String::new();
    for line in lines {
        text += &serde_json::to_string(line).expect("a line is text and numbers");
        text.push('\n');
    }
    text
}

/// Keeps colours and tabs and drops every other control sequence; of a line that was overwritten by carriage returns
/// it keeps the last state, as a terminal would show it.
fn tame(line: &str) -> Cow<'_, str> {
    if !line.contains(|c: char| c.is_control() && c != '\t') {
        return Cow::Borrowed(line);
    }
    let last = line.trim_end_matches('\r').rsplit('\r').next().unwrap_or(line);
    let mut text = String::with_capacity(last.len());
    let mut rest = last;
    let mut colored = false;
    while let Some(at) = rest.find(|c: char| c.is_control() && c != '\t') {
        text += &rest[..at];
        let (sequence, after) = split_sequence(&rest[at..]);
        if sequence.starts_with("\x1b[") && sequence.ends_with('m') {
            text += sequence;
            colored = true;
        }
        rest = after;
    }
    text += rest;
    if colored {
        text += "\x1b[0m";
    }
    Cow::Owned(text)
}

/// Splits after the control character or escape sequence at the beginning.
fn split_sequence(text: &str) -> (&str, &str) {
    let mut characters = text.char_indices().skip(1);
    let first = text.chars().next().map_or(0, char::len_utf8);
    if !text.starts_with('\x1b') {
        return text.split_at(first);
    }
    let end_after = |(at, c): (usize, char)| at + c.len_utf8();
    let end = match characters.next() {
        // CSI: parameters, then a letter or sign from `@`.
        Some((_, '[')) => characters.find(|(_, c)| ('@'..='~').contains(c)).map(end_after),
        // OSC: up to BEL or ESC \.
        Some((_, ']')) => characters.find(|(_, c)| matches!(c, '\x07' | '\\')).map(end_after),
        Some(other) => Some(end_after(other)),
        None => None,
    };
    text.split_at(end.unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn check(line: &str, expected: &str) {
        assert_eq!(tame(line), expected, "{line:?}");
    }

    #[test]
    fn what_moves_the_cursor_is_dropped_and_colours_are_ended() {
        check("plain\ttext", "plain\ttext");
        check("\x1b[31mred", "\x1b[31mred\x1b[0m");
        check("\x1b[2K\x1b[1Aup\x07", "up");
        check("10 %\r55 %\r100 %\r", "100 %");
        check("\x1b]0;title\x07text\x1b", "text");
        check("a\x1bcb\x1b[1;", "ab");
    }

    #[test]
    fn signs_tell_who_speaks() {
        let mut lines =
            vec![testing::line("build", "one"), testing::line("build", "two"), testing::line("push", "x")];
        lines[1].continued = true;
        lines[2].stream = "engine".to_owned();
        let plain = Shape { color: false, tame: false };
        assert_eq!(text(&lines, Prefix::Step, plain), "build | one\nbuild + two\npush * x\n");
        assert_eq!(text(&lines, Prefix::Nothing, plain), "one\ntwo\n* x\n");
        let colored = text(&lines[..1], Prefix::Step, Shape { color: true, tame: false });
        assert_eq!(colored, "\x1b[36mbuild\x1b[0m \x1b[2m|\x1b[0m one\n");
    }
}
