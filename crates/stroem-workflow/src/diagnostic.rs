//! Problems in workflow files, with their place and remedy. Reporting is separate from handling: lowering and checks
//! collect into a list and go on, so that all problems of a file come in one go.

use serde::Serialize;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file is out of service until it is mended.
    Error,
    /// The file works; something in it is likely not what was meant or not available in this version.
    Warning,
}

/// One problem at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// A stable code, such as `unknown_key`; [`crate::codes`] has all of them.
    pub code: &'static str,
    /// The file, relative to the workspace, with `/`.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// How many characters the excerpt's underline covers, at least 1.
    pub length: u32,
    /// One sentence: what is wrong.
    pub message: String,
    /// What to write instead, or else the remedy of the code.
    pub suggestion: Option<String>,
    /// The source line.
    pub excerpt: String,
}

/// One diagnostic for people, with the excerpt and its underline; ends with a newline.
///
/// `color` adds ANSI colours for a terminal.
pub fn render(diagnostic: &Diagnostic, color: bool) -> String {
    let paint =
        |code: &str, text: &str| if color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
    let (word, tone) = match diagnostic.severity {
        Severity::Error => ("error", "1;31"),
        Severity::Warning => ("warning", "1;33"),
    };
    let number = diagnostic.line.to_string();
    let margin = " ".repeat(number.len());
    let bar = paint("1;34", "|");
    let mut text = format!(
        "{}{}\n{margin}{} {}:{}:{}\n",
        paint(tone, &format!("{word}[{}]", diagnostic.code)),
        paint("1", &format!(": {}", diagnostic.message)),
        paint("1;34", "-->"),
        diagnostic.file,
        diagnostic.line,
        diagnostic.column,
    );
    if !diagnostic.excerpt.trim().is_empty() {
        let (excerpt, column) = window(&diagnostic.excerpt, diagnostic.column as usize);
        let room = excerpt.chars().count().saturating_sub(column - 1).max(1);
        let underline = "^".repeat((diagnostic.length as usize).clamp(1, room));
        text += &format!("{margin} {bar}\n{} {bar} {excerpt}\n", paint("1;34", &number));
        text += &format!("{margin} {bar} {}{}\n", " ".repeat(column - 1), paint(tone, &underline));
    }
    if let Some(suggestion) = &diagnostic.suggestion {
        text += &format!("{margin} {} {}: {suggestion}\n", paint("1;34", "="), paint("1", "help"));
    }
    text
}

/// The part of a line around a column that fits a terminal, with tabs as single spaces, and the column inside it.
fn window(line: &str, column: usize) -> (String, usize) {
    const WIDTH: usize = 120;
    let characters: Vec<char> = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let column = column.clamp(1, characters.len().max(1));
    if characters.len() <= WIDTH {
        return (characters.into_iter().collect(), column);
    }
    let start = (column - 1).saturating_sub(WIDTH / 3);
    let end = (start + WIDTH).min(characters.len());
    (characters[start..end].iter().collect(), column - start)
}
