//! What is generated from the built program and committed, so that docs, API and program cannot drift apart.
//! A generated file is the output of one command of `stroem`: a line here.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::{repo::Repo, shell::Shell};

/// A file and the arguments of `stroem` that print it.
const GENERATED: &[(&str, &[&str])] = &[
    ("docs/reference/workflow.schema.json", &["schema"]),
    ("docs/reference/openapi.json", &["openapi"]),
    ("docs/reference/workflow.md", &["reference", "workflow"]),
    ("docs/reference/errors.md", &["reference", "errors"]),
    ("docs/reference/cli.md", &["reference", "cli"]),
    ("docs/reference/server-config.md", &["reference", "server-config"]),
    ("docs/reference/worker-config.md", &["reference", "worker-config"]),
];

/// Write, or only compare.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Change nothing; fail if a file differs
    #[arg(long)]
    pub(crate) check: bool,
}

/// Writes every generated file, or names those that differ.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<()> {
    Shell::cargo(repo, &["build", "--locked", "--package", "stroem-cli"]).run()?;
    let program = repo.built("stroem");
    let program = program.to_str().context("the target folder's name is not UTF-8")?;
    let mut stale = vec![];
    for (file, arguments) in GENERATED {
        let mut printed = Shell::program(repo, program, arguments).read()?;
        if !printed.ends_with('\n') {
            printed.push('\n');
        }
        let committed = fs::read_to_string(repo.root().join(file)).unwrap_or_default();
        if committed == printed {
            println!("{file}: as generated");
        } else if options.check {
            println!(
                "{file}: differs from `stroem {}`: {}",
                arguments.join(" "),
                difference(&committed, &printed)
            );
            stale.push(*file);
        } else {
            write(repo, file, &printed)?;
            println!("{file}: written");
        }
    }
    match stale.as_slice() {
        [] => Ok(()),
        _ => bail!("codegen: {} differ(s), commit what `cargo xtask codegen` writes", stale.join(", ")),
    }
}

fn write(repo: &Repo, file: &str, text: &str) -> Result<()> {
    let path = repo.root().join(file);
    let folder = path.parent().context("a generated file is in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    fs::write(&path, text).with_context(|| format!("cannot write {file}"))
}

/// The first line that differs, for people.
fn difference(committed: &str, printed: &str) -> String {
    if committed.is_empty() {
        return "the file is missing".to_owned();
    }
    let mut old = committed.lines();
    let mut new = printed.lines();
    let mut line = 1;
    loop {
        match (old.next(), new.next()) {
            (Some(a), Some(b)) if a == b => line += 1,
            (None, None) => return "only the line ends differ".to_owned(),
            (a, b) => {
                let (a, b) = (a.unwrap_or("(the end)"), b.unwrap_or("(the end)"));
                return format!("line {line} is\n  {a}\nand should be\n  {b}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_the_first_line() {
        assert_eq!(difference("", "a"), "the file is missing");
        assert_eq!(difference("a\nb\n", "a\nc\n"), "line 2 is\n  b\nand should be\n  c");
        assert_eq!(difference("a\n", "a\nb\n"), "line 2 is\n  (the end)\nand should be\n  b");
    }
}
