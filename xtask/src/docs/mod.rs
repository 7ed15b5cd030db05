//! The snippets of README and docs. A fence says what happens with it:
//!
//! - `sh`: run with `bash -euo pipefail` in a copy of the repository, the built programs first on `PATH`; the
//!   blocks of one document share the copy, each is a shell of its own.
//! - `text output`: what the `sh` block before it must print: these lines in this order, `...` stands for
//!   anything.
//! - `yaml workflow`: checked by `stroem validate`; `yaml workflow=PATH` also puts it at PATH in the copy, for
//!   the blocks that follow.
//! - `yaml wrong=CODE`: `stroem validate` finds a problem of this code in it.
//! - `sh test=NAME`, `yaml test=NAME`: run by the test of that name, which `tidy` looks for.
//! - `sh skip=REASON`, `yaml skip=REASON`: shown only, and counted in `xtask/tidy-allow.toml`.

mod run;
mod snippet;

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use crate::{
    markdown::fences,
    repo::Repo,
    shell::Shell,
    tidy::{Problem, allow::Allowances, allow::Verdict},
};
use run::Scratch;
use snippet::Snippet;

/// Which documents.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Only this document
    #[arg(long)]
    file: Option<String>,
}

/// Runs every snippet and says what it did with each.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<()> {
    Shell::cargo(repo, &["build", "--locked", "--bins"]).run()?;
    let files = repo.files()?;
    let mut failures = 0;
    for file in files.iter().filter(|file| has_snippets(file)) {
        if options.file.as_ref().is_some_and(|only| only != file) {
            continue;
        }
        let Some(text) = repo.text(file)? else { continue };
        failures += run_document(repo, &files, file, &text)?;
    }
    if failures > 0 {
        bail!("docs: {failures} snippet(s) do not do what the document says");
    }
    Ok(())
}

fn run_document(repo: &Repo, files: &[String], file: &str, text: &str) -> Result<usize> {
    let mut scratch = None;
    let mut failures = 0;
    for fence in fences(text) {
        let place = format!("{file}:{}", fence.line);
        let snippet = match snippet::read(&fence.info) {
            Ok(Snippet::Shown) => continue,
            Ok(Snippet::Skipped(reason)) => {
                println!("{place}: skipped: {reason}");
                continue;
            }
            Ok(Snippet::ByTest(name)) => {
                println!("{place}: run by the test {name}");
                continue;
            }
            Ok(snippet) => snippet,
            Err(message) => bail!("{place}: {message}"),
        };
        if scratch.is_none() {
            scratch = Some(Scratch::new(repo, files)?);
        }
        let Some(scratch) = &mut scratch else { continue };
        let result = match snippet {
            Snippet::Script => scratch.script(&fence.text),
            Snippet::Output => scratch.expect_output(&fence.text),
            Snippet::Workflow(path) => scratch.workflow(path.as_deref(), &fence.text),
            Snippet::Wrong(code) => scratch.wrong(&code, &fence.text),
            Snippet::Shown | Snippet::Skipped(_) | Snippet::ByTest(_) => continue,
        };
        match result {
            Ok(()) => println!("{place}: ok"),
            Err(error) => {
                failures += 1;
                println!("{place}: FAILED: {error:#}");
            }
        }
    }
    Ok(failures)
}

/// Blocks that name a test which does not exist (a rule of `tidy`).
pub(crate) fn check_tests(file: &str, text: &str, tests: &BTreeSet<String>) -> Vec<Problem> {
    let missing = fences(text).into_iter().filter_map(|fence| match snippet::read(&fence.info) {
        Ok(Snippet::ByTest(name)) if !tests.contains(&name) => {
            Some(Problem::new(file, fence.line, format!("there is no test `{name}` that could run this")))
        }
        _ => None,
    });
    missing.collect()
}

/// Problems that are visible without running anything (a rule of `tidy`).
pub(crate) fn check(file: &str, text: &str, allowances: &mut Allowances) -> Vec<Problem> {
    if !has_snippets(file) {
        return vec![];
    }
    let mut problems = vec![];
    let mut skipped = 0;
    let mut after_script = false;
    for fence in fences(text) {
        let found = |message: &str| Problem::new(file, fence.line, message);
        let snippet = match snippet::read(&fence.info) {
            Ok(snippet) => snippet,
            Err(message) => {
                problems.push(found(&message));
                continue;
            }
        };
        match snippet {
            Snippet::Skipped(_) => skipped += 1,
            Snippet::Output if !after_script => {
                problems.push(found("`text output` must follow a `sh` block"));
            }
            _ => {}
        }
        after_script = snippet == Snippet::Script;
    }
    match allowances.check("docs-skips", file, 0, skipped) {
        Verdict::Fine => {}
        Verdict::Loose(problem) => problems.push(problem),
        Verdict::TooMany { allowed } => {
            let message = format!("{skipped} snippet(s) are shown but not run, {allowed} at most");
            problems.push(Problem::new(file, 0, message));
        }
    }
    problems
}

fn has_snippets(file: &str) -> bool {
    let documents = ["README.md", "CONTRIBUTING.md"];
    documents.contains(&file) || (file.starts_with("docs/") && file.ends_with(".md"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found = super::check("README.md", text, &mut Allowances::default());
        assert_eq!(found.iter().map(|p| p.message.as_str()).collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn a_snippet_that_is_not_run_is_counted() {
        check("```sh\ntrue\n```\n", &[]);
        let message = "1 snippet(s) are shown but not run, 0 at most";
        check("```sh skip=it waits for Ctrl-C\nstroem dev\n```\n", &[message]);
        let mut list =
            Allowances::parse("[docs-skips]\n\"README.md\" = 1\n").expect("the list is well-formed");
        assert_eq!(super::check("README.md", "```sh skip=why\na\n```\n", &mut list), []);
    }

    #[test]
    fn expected_output_needs_a_script_before_it() {
        check("```sh\necho a\n```\nprints\n```text output\na\n```\n", &[]);
        check("```text output\na\n```\n", &["`text output` must follow a `sh` block"]);
    }

    #[test]
    fn only_readme_and_docs_have_snippets() {
        let mut none = Allowances::default();
        assert_eq!(super::check("crates/a/README.md", "```yaml\na\n```\n", &mut none), []);
        assert!(!super::check("docs/adr/0001-a.md", "```yaml\na\n```\n", &mut none).is_empty());
    }
}
