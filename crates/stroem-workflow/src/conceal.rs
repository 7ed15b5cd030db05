//! Which lines of a file hold secrets, so that no excerpt shows them. By indentation, as it must work for text that is
//! not YAML; where that is in doubt, more is hidden than need be. It must not know what a problem is.

use std::ops::Range;

use crate::render::MASK;

/// The lines of one file that hold secrets.
pub(crate) struct Concealed {
    /// Lines whose value is a secret, from 0.
    ranges: Vec<Range<usize>>,
    /// Those of them that are of connections, whose `type` is no secret.
    connections: Vec<Range<usize>>,
    /// Those of them that are the text of a block (`|`), in which nothing is a key.
    blocks: Vec<Range<usize>>,
}

/// Sections of a file whose values are secrets.
const SECTIONS: [&str; 2] = ["secrets", "connections"];

impl Concealed {
    /// Finds them.
    pub(crate) fn new(path: &str, lines: &[&str]) -> Self {
        let ranges = ranges(path, lines);
        let blocks = ranges.iter().flat_map(|range| blocks(lines, range.clone())).collect();
        let of_connections = |range: &&Range<usize>| {
            let first = lines.get(range.start).copied().unwrap_or_default();
            key_text(first.split(':').next().unwrap_or_default()) == "connections"
        };
        let connections = ranges.iter().filter(of_connections).cloned().collect();
        Self { ranges, connections, blocks }
    }

    /// Whether a line, from 0, holds a secret.
    pub(crate) fn holds(&self, index: usize) -> bool {
        self.ranges.iter().any(|range| range.contains(&index))
    }

    fn is_connection(&self, index: usize) -> bool {
        self.connections.iter().any(|range| range.contains(&index))
    }

    /// A line, from 0, without what is or may be a secret.
    pub(crate) fn shown(&self, index: usize, line: &str) -> String {
        if !self.holds(index) {
            return without_written_secret(line);
        }
        let in_block = self.blocks.iter().any(|range| range.contains(&index));
        match line.split_once(':').filter(|_| !in_block) {
            Some((key, value)) if SECTIONS.contains(&key_text(key)) && value.trim().is_empty() => {
                line.to_owned()
            }
            Some((key, _))
                if key_text(key) == "type" && self.is_connection(index) && !line.contains(['{', ',']) =>
            {
                line.to_owned()
            }
            // A longer text before the colon is likely a part of a secret.
            Some((key, _)) if is_key(key) => format!("{key}: {MASK}"),
            _ => MASK.to_owned(),
        }
    }
}

fn ranges(path: &str, lines: &[&str]) -> Vec<Range<usize>> {
    let all = || std::iter::once(0..lines.len()).collect();
    if path.contains(".sops.") {
        return all();
    }
    let content = |line: &&&str| !line.trim().is_empty() && !line.trim_start().starts_with(['#', '%', '-']);
    let Some(first) = lines.iter().find(content) else { return Vec::new() };
    let named = |line: &&str| SECTIONS.iter().any(|section| line.contains(section));
    if first.trim_start().starts_with(['{', '[', '?', '&', '!', '*']) {
        // Not lines of `key: value`: where a section ends cannot be told.
        return if lines.iter().any(named) { all() } else { Vec::new() };
    }
    let top = indentation(first);
    let at_top = |line: &str| {
        !line.trim().is_empty() && indentation(line) <= top && !line.trim_start().starts_with(['#', ':'])
    };
    let mut ranges = Vec::new();
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| at_top(line)) {
        let key = key_text(line.split(':').next().unwrap_or_default());
        if SECTIONS.contains(&key) {
            // A value that is not closed goes on at the margin: braces end where their line is the last.
            let open = line.contains(['{', '[', '"', '\'', '|', '>', '?']);
            let ends = |line: &&&str| if open { is_section(line, top) } else { at_top(line) };
            let length = lines[index + 1..].iter().take_while(|line| !ends(line)).count();
            ranges.push(index..index + 1 + length);
        }
    }
    ranges
}

/// Whether a line begins a section of a file.
fn is_section(line: &str, top: usize) -> bool {
    let key = key_text(line.split(':').next().unwrap_or_default());
    indentation(line) <= top && line.contains(':') && crate::table::FILE.key(key).is_some()
}

/// The lines of which nothing is a key: those below `key: |`, which are deeper than it, and those of braces.
fn blocks(lines: &[&str], range: Range<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for index in range.clone() {
        let count = |signs: [char; 2]| lines[index].matches(signs).count();
        if count(['{', '[']) > count(['}', ']']) {
            // Braces that go on: a line in them may be the middle of a text.
            found.push(index + 1..range.end);
        }
        let value = lines[index].split_once(':').map_or(lines[index], |(_, value)| value).trim();
        if value.starts_with(['|', '>', '"', '\'']) || value.contains(" |") || value.contains(" >") {
            let depth = indentation(lines[index]);
            let deeper = |line: &&&str| line.trim().is_empty() || indentation(line) > depth;
            let length = lines[index + 1..range.end].iter().take_while(deeper).count();
            found.push(index + 1..index + 1 + length);
        }
    }
    found
}

fn indentation(line: &str) -> usize {
    line.chars().take_while(|c| c.is_whitespace() || *c == '\u{feff}').count()
}

fn key_text(key: &str) -> &str {
    key.trim_matches(|c: char| matches!(c, '"' | '\'' | '?' | '\u{feff}') || c.is_whitespace())
}

fn is_key(key: &str) -> bool {
    let text = key_text(key);
    !text.is_empty()
        && text.len() <= 40
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// A line in which the value of a `secret:` key, and the default beside a `secret: true`, are dots, one for each
/// character, so that columns stay.
fn without_written_secret(line: &str) -> String {
    let is_flag = |value: &str| matches!(value, "" | "true" | "false" | "yes" | "no");
    let shown = dotted(line, "secret:", is_flag);
    if line.contains("secret: true") || line.contains("secret: yes") {
        return dotted(&shown, "default:", str::is_empty);
    }
    shown
}

/// A line with dots for the value after a key.
fn dotted(line: &str, key: &str, is_shown: impl Fn(&str) -> bool) -> String {
    let Some(at) = line.find(key).map(|at| at + key.len()) else { return line.to_owned() };
    let length = line[at..].find([',', '}']).unwrap_or(line.len() - at);
    let (value, rest) = line[at..].split_at(length);
    if is_shown(value.trim()) {
        return line.to_owned();
    }
    let dots: String = value.chars().map(|c| if c.is_whitespace() { c } else { '•' }).collect();
    format!("{}{dots}{rest}", &line[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let lines: Vec<&str> = text.lines().collect();
        let concealed = Concealed::new(".workflows/a.yaml", &lines);
        let shown: Vec<String> =
            lines.iter().enumerate().map(|(index, line)| concealed.shown(index, line)).collect();
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn values_of_sections_are_hidden_and_the_rest_is_shown() {
        check(
            "tasks:\n  t: x\nsecrets:\n  a: hunter22\n# comment\n  b:\n    c: d\nactions: {}\n",
            &[
                "tasks:",
                "  t: x",
                "secrets:",
                "  a: ••••••",
                MASK,
                "  b: ••••••",
                "    c: ••••••",
                "actions: {}",
            ],
        );
        check(
            "connections:\n  main:\n    type: db\n    host: x\ntasks: {}\n",
            &["connections:", "  main: ••••••", "    type: db", "    host: ••••••", "tasks: {}"],
        );
    }

    #[test]
    fn files_that_are_indented_or_written_as_json_are_no_exception() {
        check("  secrets:\n    a: hunter22\n  tasks: {}\n", &["  secrets:", "    a: ••••••", "  tasks: {}"]);
        check("  secrets: { a: hunter22 }\n", &["  secrets: ••••••"]);
        check("{\"secrets\": {\n\"a\": \"hunter22\"}\n}\n", &[MASK, MASK, MASK]);
        check("{\"tasks\": {}}\n", &["{\"tasks\": {}}"]);
        check("\u{feff}secrets:\n  a: hunter22\n", &["\u{feff}secrets:", "  a: ••••••"]);
        check("? secrets\n: { a: hunter22 }\n", &[MASK, MASK]);
    }

    #[test]
    fn a_text_of_several_lines_shows_nothing_that_looks_like_a_key() {
        check(
            "secrets:\n  key: |\n    Proc-Type: 4\n    user:password\n  b: \"one\n    two: three\"\n",
            &["secrets:", "  key: ••••••", MASK, MASK, "  b: ••••••", MASK],
        );
        check("secrets:\n  a b c: d\n", &["secrets:", MASK]);
    }

    #[test]
    fn braces_that_are_not_closed_hide_what_follows_up_to_the_next_section() {
        check(
            "secrets: { a: b,\nhunter22: c,\n  d\ntasks:\n  t: x\n",
            &["secrets: ••••••", MASK, MASK, "tasks:", "  t: x"],
        );
        check("secrets:\n  a: {\n  hunter22: {\n", &["secrets:", "  a: ••••••", MASK]);
        assert!(Concealed::new("a.sops.yaml", &[]).ranges.iter().all(Range::is_empty));
        check("secrets:\n  type: hunter22\n", &["secrets:", "  type: ••••••"]);
    }
}
