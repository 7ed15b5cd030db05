//! `cargo xtask bench`: measures, in one run and on this machine, what the machine itself can do (the floor) and
//! what the product does on top. A figure that depends on the machine is judged as a ratio to the floor.
//!
//! A suite is a file here and a line in [`SUITES`]; it gives [`Measurement`]s, and this module prints them.

mod docker;
mod floor;
mod measurement;
mod product;

use anyhow::{Result, bail};

use crate::repo::Repo;
use measurement::Measurement;

/// What to measure and how to print it.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only these suites
    #[arg(long)]
    suite: Vec<String>,
    /// How often each workload runs; the median is reported
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Only on this store
    #[arg(long, value_enum)]
    store: Option<Store>,
    /// Finished jobs of the full store in the suite `history`
    #[arg(long, default_value_t = 100_000)]
    jobs: u32,
    /// Ready steps that wait for other workers there, rounded up to ten thousand
    #[arg(long, default_value_t = 1_000_000)]
    rows: u32,
    /// How long the system idles for its figure in the suite `product`, in seconds
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    idle: u32,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Where the product keeps its jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Store {
    /// The embedded one
    Sqlite,
    /// PostgreSQL with its own settings, durability among them, started for it
    Postgres,
}

impl Store {
    const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// A group of workloads.
struct Suite {
    name: &'static str,
    measure: fn(&Repo, &Options) -> Result<Vec<Measurement>>,
}

/// Every suite, the floor first.
const SUITES: &[Suite] = &[
    Suite { name: "floor", measure: floor::measure },
    Suite { name: "product", measure: product::measure },
    Suite { name: "history", measure: product::history },
    Suite { name: "docker", measure: docker::measure },
];

/// Measures and prints.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<()> {
    for name in &options.suite {
        if !SUITES.iter().any(|suite| suite.name == name) {
            let known: Vec<&str> = SUITES.iter().map(|suite| suite.name).collect();
            bail!("there is no suite `{name}`, only {}", known.join(", "));
        }
    }
    let mut measurements = vec![];
    for suite in SUITES {
        if options.suite.is_empty() || options.suite.iter().any(|name| name == suite.name) {
            measurements.extend((suite.measure)(repo, options)?);
        }
    }
    if options.json {
        println!("{:#}", measurement::json(&measurements));
    } else {
        print!("{}", measurement::table(&measurements));
    }
    let missed: Vec<&str> =
        measurements.iter().filter(|m| !m.is_reached()).map(|m| m.name.as_str()).collect();
    if !missed.is_empty() {
        bail!("bench: out of budget: {}", missed.join(", "));
    }
    Ok(())
}
