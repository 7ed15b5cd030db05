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
    /// A stable code, such as `unknown_key`.
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
    /// What to write instead, when that is known.
    pub suggestion: Option<String>,
    /// The source line.
    pub excerpt: String,
}
