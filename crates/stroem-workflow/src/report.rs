//! The sink that lowering and checks report into: it knows the files' text, so that a report needs a span and words
//! only. It must not decide what a problem means for a task.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use crate::{Diagnostic, Severity, SourceFile, codes, conceal::Concealed};

/// A place in one of the files: line and column from 1, length in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Span {
    pub(crate) file: u32,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) length: u32,
}

/// Problems of one file that are listed; a last one says that there are more.
const PROBLEMS_MAX: usize = 500;

/// Characters of a source line that a problem keeps: a file may be one line of megabytes with hundreds of problems.
const EXCERPT_MAX: usize = 1_000;

/// Collects diagnostics of all files.
pub(crate) struct Report<'a> {
    files: &'a [&'a SourceFile],
    lines: Vec<Vec<&'a str>>,
    concealed: Vec<Concealed>,
    diagnostics: Vec<Diagnostic>,
    broken: BTreeSet<u32>,
    counts: BTreeMap<u32, usize>,
    muted: bool,
}

impl<'a> Report<'a> {
    pub(crate) fn new(files: &'a [&'a SourceFile]) -> Self {
        let lines: Vec<Vec<&str>> = files.iter().map(|file| file.text.lines().collect()).collect();
        let concealed =
            files.iter().zip(&lines).map(|(file, lines)| Concealed::new(&file.path, lines)).collect();
        Self {
            files,
            lines,
            concealed,
            diagnostics: Vec::new(),
            broken: BTreeSet::new(),
            counts: BTreeMap::new(),
            muted: false,
        }
    }

    pub(crate) fn error(&mut self, span: Span, code: &'static str, message: impl Into<String>) {
        self.add(Severity::Error, span, code, message.into(), None);
    }

    pub(crate) fn error_with(
        &mut self,
        span: Span,
        code: &'static str,
        message: impl Into<String>,
        suggestion: Option<String>,
    ) {
        self.add(Severity::Error, span, code, message.into(), suggestion);
    }

    pub(crate) fn warning(
        &mut self,
        span: Span,
        code: &'static str,
        message: impl Into<String>,
        suggestion: Option<String>,
    ) {
        self.add(Severity::Warning, span, code, message.into(), suggestion);
    }

    /// Runs `work` without keeping what it reports: for the readable part of a file whose text is broken.
    pub(crate) fn muted<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.muted, true);
        let result = work(self);
        self.muted = before;
        result
    }

    pub(crate) fn is_broken(&self, file: u32) -> bool {
        self.broken.contains(&file)
    }

    pub(crate) fn path(&self, file: u32) -> &'a str {
        &self.files[file as usize].path
    }

    /// The source line of a span, empty when the file has no such line.
    pub(crate) fn line(&self, span: Span) -> &'a str {
        let lines = &self.lines[span.file as usize];
        lines.get((span.line as usize).saturating_sub(1)).copied().unwrap_or("")
    }

    /// The source line of a span, without its value where that is a secret; the beginning of a very long one, or
    /// nothing when the span is not in it.
    fn excerpt(&self, span: Span) -> String {
        let whole = self.line(span);
        let line = match whole.char_indices().nth(EXCERPT_MAX) {
            None => whole,
            Some((end, _)) if (span.column as usize) <= EXCERPT_MAX => &whole[..end],
            Some(_) => return String::new(),
        };
        self.concealed[span.file as usize].shown((span.line as usize).saturating_sub(1), line)
    }

    /// The source line of a span for words about it; none where it holds a secret.
    pub(crate) fn quotable(&self, span: Span) -> Option<&'a str> {
        let line = self.line(span);
        let concealed = &self.concealed[span.file as usize];
        let index = (span.line as usize).saturating_sub(1);
        (!concealed.holds(index) && concealed.shown(index, line) == line).then_some(line)
    }

    /// The length of a span without blanks at its end, which a parser counts to a value before a brace.
    fn underlined(&self, span: Span) -> u32 {
        let start = (span.column as usize).saturating_sub(1);
        if start > EXCERPT_MAX {
            return span.length.max(1);
        }
        let covered: String = self.line(span).chars().skip(start).take(span.length as usize).collect();
        let blanks = covered.chars().rev().take_while(|c| c.is_whitespace()).count();
        span.length.saturating_sub(u32::try_from(blanks).unwrap_or(0)).max(1)
    }

    /// A place for people: `file:line`.
    pub(crate) fn place(&self, span: Span) -> String {
        format!("{}:{}", self.path(span.file), span.line)
    }

    pub(crate) fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        self.diagnostics.sort_by(|a, b| {
            (&a.file, a.line, a.column, a.severity, &a.message)
                .cmp(&(&b.file, b.line, b.column, b.severity, &b.message))
        });
        self.diagnostics.dedup();
        self.diagnostics
    }

    fn add(
        &mut self,
        severity: Severity,
        span: Span,
        code: &'static str,
        message: String,
        suggestion: Option<String>,
    ) {
        if self.muted {
            return;
        }
        if severity == Severity::Error {
            self.broken.insert(span.file);
        }
        let count = self.counts.entry(span.file).or_default();
        *count += 1;
        match (*count).cmp(&PROBLEMS_MAX) {
            Ordering::Greater => {}
            Ordering::Equal => {
                self.push(
                    severity,
                    span,
                    "too_many_problems",
                    "this file has more problems than are listed".to_owned(),
                    None,
                );
            }
            Ordering::Less => self.push(severity, span, code, message, suggestion),
        }
    }

    fn push(
        &mut self,
        severity: Severity,
        span: Span,
        code: &'static str,
        message: String,
        suggestion: Option<String>,
    ) {
        let registered = codes::find(code);
        debug_assert!(registered.is_some(), "the code `{code}` is not in the registry");
        let suggestion = suggestion.or_else(|| registered.map(|code| code.remedy.to_owned()));
        self.diagnostics.push(Diagnostic { severity, code, message, suggestion, ..self.at(span) });
    }

    /// A place as a warning without words.
    pub(crate) fn at(&self, span: Span) -> Diagnostic {
        Diagnostic {
            severity: Severity::Warning,
            code: "",
            file: self.path(span.file).to_owned(),
            line: span.line.max(1),
            column: span.column.max(1),
            length: self.underlined(span),
            message: String::new(),
            suggestion: None,
            excerpt: self.excerpt(span),
        }
    }
}

/// The candidate that is most likely meant by `written`, as a suggestion's text.
pub(crate) fn did_you_mean<'c>(
    written: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<String> {
    nearest(written, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// The candidate that is most likely meant by `written`.
pub(crate) fn nearest<'c>(written: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let fold = |text: &str| text.to_lowercase().replace(['-', ' ', '.'], "_");
    let written = fold(written);
    let length = written.chars().count();
    candidates
        .into_iter()
        // A name of a very different length cannot be near; this keeps ten thousand candidates cheap.
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= 1 + length / 3)
        .map(|candidate| (strsim::damerau_levenshtein(&written, &fold(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= length.max(candidate.chars().count()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
