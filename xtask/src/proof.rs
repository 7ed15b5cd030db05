//! `cargo xtask proof`: the tests that are short in `ci`, at full size. A test reads [`SIZE`] and takes the
//! numbers of the demand instead of its short ones; nothing else about it changes.

use anyhow::Result;

use crate::{
    prerequisites::{Prerequisites, Tool},
    repo::Repo,
    shell::Shell,
};

/// `full` in a proof, unset otherwise.
const SIZE: &str = "STROEM_PROOF";

/// The tests that have a full size, as a filter of nextest: by convention their names begin so.
const FILTER: &str = "test(/(^|::)proof_/)";

/// Which tests.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only tests whose name holds this
    name: Option<String>,
    /// Only show which tests there are
    #[arg(long)]
    list: bool,
}

/// Runs them optimised, one at a time, for as long as they take.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<()> {
    static NEXTEST: Tool = Tool::NEXTEST;
    Prerequisites::new(repo).provide(&NEXTEST).map_err(anyhow::Error::msg)?;
    let filter = match &options.name {
        Some(name) => format!("{FILTER} & test({name})"),
        None => FILTER.to_owned(),
    };
    let mut arguments = vec!["nextest", if options.list { "list" } else { "run" }];
    arguments.extend(["--locked", "--workspace", "--release", "--profile", "proof", "-E", &filter]);
    if !options.list {
        arguments.extend(["--test-threads", "1"]);
    }
    Shell::cargo(repo, &arguments).variable(SIZE, "full").run()
}
