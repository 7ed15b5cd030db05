//! `cargo xtask ci`: the one command that decides whether a tree is good. Rungs run in order, the cheap ones
//! first; the first failure ends the climb. At the end stands what ran, how long it took, and what was skipped
//! for which reason. With `CI=true` a skip is a failure.

mod report;
mod rungs;

use std::time::Instant;

use anyhow::{Result, bail};

use crate::{
    prerequisites::{Prerequisites, Tool},
    repo::{Repo, is_ci},
};
use report::{Line, Status};

/// Which rungs.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only these rungs, as `--rung tidy --rung tests`
    #[arg(long)]
    rung: Vec<String>,
    /// Go on after a failure
    #[arg(long)]
    keep_going: bool,
}

/// One rung of the ladder.
pub(crate) struct Rung {
    pub(crate) name: &'static str,
    /// Without these it cannot run.
    pub(crate) needs: &'static [&'static Tool],
    /// Without these a part of it is skipped.
    pub(crate) wants: &'static [&'static Tool],
    /// Runs it; what it gives are the parts that it skipped, with the reasons.
    pub(crate) run: fn(&Repo) -> Result<Vec<String>>,
}

/// Climbs the ladder.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<()> {
    for name in &options.rung {
        if !rungs::ALL.iter().any(|rung| rung.name == name) {
            let known: Vec<&str> = rungs::ALL.iter().map(|rung| rung.name).collect();
            bail!("there is no rung `{name}`, only {}", known.join(", "));
        }
    }
    let mut prerequisites = Prerequisites::new(repo);
    let mut lines: Vec<Line> = vec![];
    for rung in rungs::ALL {
        if !options.rung.is_empty() && !options.rung.iter().any(|name| name == rung.name) {
            continue;
        }
        let failed = lines.iter().any(|line| matches!(line.status, Status::Failed(_)));
        let line = if failed && !options.keep_going {
            Line { name: rung.name, seconds: 0.0, status: Status::NotReached, skips: vec![] }
        } else {
            climb(repo, rung, &mut prerequisites)
        };
        lines.push(line);
    }
    print!("{}", report::table(&lines));
    report::verdict(&lines, is_ci())
}

fn climb(repo: &Repo, rung: &Rung, prerequisites: &mut Prerequisites<'_>) -> Line {
    println!("\n== {} ==", rung.name);
    let start = Instant::now();
    let mut skips: Vec<String> =
        rung.wants.iter().filter_map(|tool| prerequisites.provide(tool).err()).collect();
    let missing: Vec<String> =
        rung.needs.iter().filter_map(|tool| prerequisites.provide(tool).err()).collect();
    let status = if missing.is_empty() {
        match (rung.run)(repo) {
            Ok(parts) => {
                skips.extend(parts);
                Status::Passed
            }
            Err(error) => {
                println!("error: {error:#}");
                Status::Failed(format!("{error:#}"))
            }
        }
    } else {
        Status::Skipped(missing.join("; "))
    };
    Line { name: rung.name, seconds: start.elapsed().as_secs_f64(), status, skips }
}
