//! The registry of the codes that problems have: what each means, a wrong and a right example, and the remedy, which
//! is also the help of a problem that has no better one. A code is never renamed or reused. Data and its pages only:
//! nothing here looks at a user's file.

mod files;
mod keys;
mod names;
mod page;
mod tasks;
mod templates;
mod values;

pub use page::{page, reference_markdown};

use crate::{Severity, report::nearest};

/// One code with its page.
#[derive(Debug, Clone, Copy)]
pub struct Code {
    /// The code, such as `unknown_key`.
    pub name: &'static str,
    /// Whether it takes the file out of service.
    pub severity: Severity,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// What it means and why it matters.
    pub meaning: &'static str,
    /// What to do, as one clause without a full stop.
    pub remedy: &'static str,
    /// Files that have the problem.
    pub wrong: Example,
    /// Files that say it right and have no problem at all.
    pub right: &'static str,
    /// Whether the JSON Schema refuses it too: it shows in one file, by keys and types alone.
    pub structural: bool,
}

/// Workflow files as an example: one, or several that each begin with a line `# file: PATH`.
#[derive(Debug, Clone, Copy)]
pub enum Example {
    /// As it stands.
    Text(&'static str),
    /// Too long to be shown.
    Made {
        /// What is shown of it.
        shown: &'static str,
        /// Makes all of it.
        make: fn() -> String,
    },
}

impl Code {
    const fn error(
        name: &'static str,
        title: &'static str,
        meaning: &'static str,
        remedy: &'static str,
        wrong: &'static str,
        right: &'static str,
    ) -> Self {
        let (severity, wrong) = (Severity::Error, Example::Text(wrong));
        Self { name, severity, title, meaning, remedy, wrong, right, structural: false }
    }

    const fn structural(mut self) -> Self {
        self.structural = true;
        self
    }

    const fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    const fn made(mut self, make: fn() -> String) -> Self {
        if let Example::Text(shown) = self.wrong {
            self.wrong = Example::Made { shown, make };
        }
        self
    }
}

impl Example {
    /// All of it.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => (*text).to_owned(),
            Self::Made { make, .. } => make(),
        }
    }

    /// What a page shows of it.
    pub const fn shown(&self) -> &'static str {
        match self {
            Self::Text(text) | Self::Made { shown: text, .. } => text,
        }
    }
}

/// The groups of the reference: heading and codes.
const GROUPS: [(&str, &[Code]); 6] = [
    ("Files", files::CODES),
    ("Keys", keys::CODES),
    ("Values", values::CODES),
    ("Names and references", names::CODES),
    ("Tasks and steps", tasks::CODES),
    ("Templates and secrets", templates::CODES),
];

/// Every code, in the order of the reference.
pub fn all() -> impl Iterator<Item = &'static Code> {
    GROUPS.iter().flat_map(|(_, codes)| codes.iter())
}

/// A code by its name; `-` and capitals are taken for `_` and small letters.
pub fn find(name: &str) -> Option<&'static Code> {
    let name = name.to_lowercase().replace('-', "_");
    all().find(|code| code.name == name)
}

/// The code that is most likely meant.
pub fn near(name: &str) -> Option<&'static str> {
    nearest(name, all().map(|code| code.name)).or_else(|| {
        let word = name.to_lowercase();
        all().map(|code| code.name).find(|code| word.len() > 3 && code.split('_').any(|part| part == word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Diagnostic, SourceFile, WorkerTags, load};

    fn diagnostics(text: &str) -> Vec<Diagnostic> {
        let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
        let files: Vec<SourceFile> = match text.strip_prefix("# file: ") {
            None => vec![file(".workflows/a.yaml", text)],
            Some(rest) => rest
                .split("# file: ")
                .map(|part| part.split_once('\n').expect("a path, then the text"))
                .map(|(path, text)| file(path, text))
                .collect(),
        };
        let workspace = load(&files);
        let tags =
            ["script", "docker", "gpu"].iter().map(|tag| stroem_core::Tag::new(tag).unwrap()).collect();
        let worker = WorkerTags { name: "w1".to_owned(), tags, exclusive: false };
        let mut found = workspace.check_tags(&[worker]);
        found.extend(workspace.diagnostics);
        found
    }

    #[test]
    fn wrong_examples_have_their_code_and_right_ones_no_error() {
        for code in all() {
            let found = diagnostics(&code.wrong.text());
            let severities: Vec<Severity> =
                found.iter().filter(|problem| problem.code == code.name).map(|it| it.severity).collect();
            assert!(severities.contains(&code.severity), "{}: {found:#?}", code.name);
            let right = diagnostics(code.right);
            assert!(
                right.iter().all(|problem| problem.code != code.name && problem.severity != Severity::Error),
                "{}: {right:#?}",
                code.name
            );
        }
    }

    #[test]
    fn every_code_is_there_once_and_says_what_to_do() {
        let mut names: Vec<&str> = all().map(|code| code.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "a code is there twice");
        for code in all() {
            let snake = code.name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            assert!(snake, "{}", code.name);
            for text in [code.title, code.meaning, code.remedy, code.right] {
                assert!(text.len() > 10, "{}: {text:?}", code.name);
            }
            assert!(!code.remedy.ends_with('.') && code.meaning.ends_with('.'), "{}", code.name);
        }
    }

    #[test]
    fn a_code_is_found_by_other_spellings_and_by_a_near_one() {
        assert_eq!(find("Unknown-Key").map(|code| code.name), Some("unknown_key"));
        assert!(find("unknown_kee").is_none());
        assert_eq!(near("unknown_kee"), Some("unknown_key"));
        assert_eq!(near("duration"), Some("bad_duration"));
        assert_eq!(near("zzzzzzzzzz"), None);
    }
}
