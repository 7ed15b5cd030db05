//! The repository's own rules, as tests over its text and manifests. A rule is a file here that takes text and
//! gives problems; this module walks the tree. Exceptions stand in `xtask/tidy-allow.toml`, as numbers that may
//! only shrink: an entry that is larger than needed is a problem as well.

pub(crate) mod allow;
mod claims;
mod demands;
mod edges;
mod links;
mod manifests;
mod rust;
mod size;
mod source;
mod words;

use std::{collections::BTreeSet, fmt};

use anyhow::{Context, Result, bail};

use crate::{docs, repo::Repo};
use allow::Allowances;
use source::Source;

/// Where the exceptions are.
pub(crate) const ALLOWANCES: &str = "xtask/tidy-allow.toml";

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    /// Relative to the root.
    pub(crate) file: String,
    /// Counted from 1; 0 when it is the whole file.
    pub(crate) line: usize,
    /// What is wrong and what to do instead.
    pub(crate) message: String,
}

impl Problem {
    pub(crate) fn new(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message),
            line => write!(f, "{}:{line}: {}", self.file, self.message),
        }
    }
}

/// Checks everything and prints every problem.
pub(crate) fn run(repo: &Repo) -> Result<()> {
    let files = repo.files()?;
    let problems = problems(repo, &files)?;
    for problem in &problems {
        println!("{problem}");
    }
    match problems.len() {
        0 => {
            println!("tidy: {} files follow the rules", files.len());
            Ok(())
        }
        count => bail!("tidy: {count} problem(s), see docs/STYLE.md"),
    }
}

fn problems(repo: &Repo, files: &[String]) -> Result<Vec<Problem>> {
    let text = repo.text(ALLOWANCES)?.with_context(|| format!("{ALLOWANCES} is not text"))?;
    let mut allowances = Allowances::parse(&text)?;
    let mut problems = edges::check(repo.members());
    problems.extend(rust::check_test_binaries(files, &mut allowances));
    for package in repo.members() {
        let manifest = format!("{}/Cargo.toml", package.folder);
        if let Some(text) = repo.text(&manifest)? {
            problems.extend(manifests::check(&manifest, &text));
        }
    }
    let mut documents = vec![];
    let mut tests = BTreeSet::new();
    let mut functions = BTreeSet::new();
    for file in files {
        let Some(text) = repo.text(file)? else { continue };
        problems.extend(words::check(file, &text));
        if file.ends_with(".rs") {
            functions.extend(claims::functions(&text));
            let source = Source::new(&text);
            problems.extend(rust::check(file, &text, &source));
            problems.extend(size::check(file, &source, &mut allowances));
            tests.extend(demands::tests(file, &source));
        }
        if file.ends_with(".md") {
            problems.extend(links::check(file, &text, files));
            problems.extend(docs::check(file, &text, &mut allowances));
            documents.push((file, text));
        }
    }
    for (file, text) in documents {
        problems.extend(demands::check(file, &text, &tests));
        problems.extend(docs::check_tests(file, &text, &tests));
    }
    for page in claims::PAGES {
        let text = repo.text(page)?.with_context(|| format!("{page} is not text"))?;
        problems.extend(claims::check(page, &text, &functions));
    }
    problems.extend(allowances.unused());
    problems.sort();
    Ok(problems)
}
