//! The pages of the codes as Markdown.

use std::fmt::Write as _;

use super::{Code, Example, GROUPS};
use crate::Severity;

/// The reference of all codes, each under an anchor of its name.
pub fn reference_markdown() -> String {
    let mut text = String::from(
        "# Problems of workflow files\n\nGenerated from the registry of codes; do not edit. `stroem validate` names the \
         code of each problem, `stroem explain CODE` prints its page. Codes stay as they are: scripts may rely on \
         them.\n",
    );
    for (heading, codes) in GROUPS {
        let _infallible = writeln!(text, "\n## {heading}\n\n| code | problem |\n|---|---|");
        for code in codes {
            let _infallible = writeln!(text, "| [`{0}`](#{0}) | {1} |", code.name, code.title);
        }
        for code in codes {
            text += &section(code);
        }
    }
    text
}

/// The page of one code, for a terminal.
pub fn page(code: &Code) -> String {
    let mut text = format!("{} ({}): {}\n\n", code.name, word(code.severity), code.title);
    for line in wrapped(code.meaning, 100) {
        let _infallible = writeln!(text, "{line}");
    }
    let _infallible = write!(text, "\nWrong:\n\n{}", indented(code.wrong.shown()));
    let _infallible = write!(text, "\nRight:\n\n{}", indented(code.right));
    let _infallible = writeln!(text, "\nRemedy: {}.", code.remedy);
    text
}

fn section(code: &Code) -> String {
    let wrong = match code.wrong {
        Example::Text(text) if is_one_file(text) => format!("yaml wrong={}", code.name),
        _ => "text".to_owned(),
    };
    let right = if is_one_file(code.right) { "yaml workflow" } else { "text" };
    format!(
        "\n### {}\n\n{}: {}.\n\n{}\n\nWrong:\n\n```{wrong}\n{}```\n\nRight:\n\n```{right}\n{}```\n\nRemedy: {}.\n",
        code.name,
        capital(word(code.severity)),
        code.title,
        code.meaning,
        code.wrong.shown(),
        code.right,
        code.remedy,
    )
}

fn is_one_file(text: &str) -> bool {
    !text.starts_with("# file: ")
}

const fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn capital(word: &str) -> String {
    let mut characters: Vec<char> = word.chars().collect();
    if let Some(first) = characters.first_mut() {
        *first = first.to_ascii_uppercase();
    }
    characters.into_iter().collect()
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}
