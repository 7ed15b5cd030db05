//! `cargo xtask proof`: the tests that are short in `ci`, at full size. A test reads [`SIZE`] and takes the
//! numbers of the demand instead of its short ones; nothing else about it changes.

mod results;

use std::{collections::BTreeSet, fs};

use anyhow::{Context, Result};

use crate::{
    prerequisites::{Prerequisites, Tool},
    repo::Repo,
    shell::Shell,
};

/// `full` in a proof, unset otherwise.
const SIZE: &str = "STROEM_PROOF";

/// The tests that have a full size, as a filter of nextest: by convention their names begin so.
const FILTER: &str = "test(/(^|::)proof_/)";

/// The program of a crate's integration tests, where such tests are.
const PROGRAM: &str = "it";

/// Where nextest writes the results, in the folder of builds, see `.config/nextest.toml`.
const RESULTS: &str = "nextest/proof/junit.xml";

/// Which tests.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only tests whose name holds this
    name: Option<String>,
    /// Only show which tests there are
    #[arg(long)]
    list: bool,
}

/// Runs them optimised, one at a time, for as long as they take, and prints a table of what they found.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<()> {
    static NEXTEST: Tool = Tool::NEXTEST;
    Prerequisites::new(repo).provide(&NEXTEST).map_err(anyhow::Error::msg)?;
    let filter = match &options.name {
        Some(name) => format!("{FILTER} & test({name})"),
        None => FILTER.to_owned(),
    };
    let mut arguments = vec!["nextest", if options.list { "list" } else { "run" }];
    arguments.extend(["--locked", "--release", "--profile", "proof", "--test", PROGRAM, "-E", &filter]);
    let packages = packages(repo)?;
    for package in &packages {
        arguments.extend(["--package", package]);
    }
    if options.list {
        return Shell::cargo(repo, &arguments).run();
    }
    arguments.extend(["--test-threads", "1"]);
    let results = repo.target().join(RESULTS);
    if results.exists() {
        fs::remove_file(&results).context("the results of an earlier proof cannot be removed")?;
    }
    let ran = Shell::cargo(repo, &arguments).variable(SIZE, "full").run();
    // Without results nothing ran, and the error says why.
    if let Ok(text) = fs::read_to_string(&results) {
        println!("{}", results::table(&results::parse(&text)));
    }
    ran
}

/// The packages that have such tests: an optimised build of all others would take longer than some proofs.
fn packages(repo: &Repo) -> Result<Vec<String>> {
    let mut packages = BTreeSet::new();
    for file in repo.files()?.iter().filter(|file| file.ends_with(".rs")) {
        let member = repo.members().iter().find(|member| file.starts_with(&format!("{}/", member.folder)));
        let Some(member) = member.filter(|member| !packages.contains(&member.name)) else { continue };
        if repo
            .text(file)?
            .is_some_and(|text| text.contains("\nasync fn proof_") || text.contains("\nfn proof_"))
        {
            packages.insert(member.name.clone());
        }
    }
    Ok(packages.into_iter().collect())
}
