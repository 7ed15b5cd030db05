//! `cargo xtask fuzz`: builds the fuzzer optimised, with the checks of a debug build, and runs it. Which targets there
//! are is its own business.

use anyhow::Result;

use crate::{repo::Repo, shell::Shell};

/// Which target, for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How long each target is fuzzed
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Only this target: yaml, templates, framing or masking
    #[arg(long)]
    target: Option<String>,
    /// Where the numbers begin; the same seed gives the same inputs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Shows one kept input to the target instead
    #[arg(long)]
    input: Option<String>,
}

/// Fuzzes; findings are kept in `target/fuzz-findings`, and are a failure.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<()> {
    let (seconds, seed) = (options.seconds.to_string(), options.seed.to_string());
    let mut arguments = vec!["run", "--locked", "--profile", "fuzz", "--package", "stroem-fuzz", "--"];
    arguments.extend(["--seconds", &seconds, "--seed", &seed]);
    if let Some(target) = &options.target {
        arguments.extend(["--target", target]);
    }
    if let Some(input) = &options.input {
        arguments.extend(["--input", input]);
    }
    Shell::cargo(repo, &arguments).run()
}
