//! What the product does on top of the floor: release builds of a server and one worker with eight slots, as processes
//! of their own, over HTTP, on each store. The workloads are an example of `stroem-cli`; the budgets are here.

use anyhow::{Context, Result};
use serde_json::Value;

use super::{
    Options, Store, floor,
    measurement::{Budget, Measurement},
};
use crate::{repo::Repo, shell::Shell};

/// A figure of the product.
struct Figure {
    name: &'static str,
    unit: &'static str,
    /// What the median must not exceed, on SQLite and on PostgreSQL.
    at_most: Option<(f64, f64)>,
}

const fn figure(name: &'static str, unit: &'static str, at_most: Option<(f64, f64)>) -> Figure {
    Figure { name, unit, at_most }
}

const FIGURES: &[Figure] = &[
    figure("server serves after exec", "ms", Some((1_000.0, 1_000.0))),
    figure("trigger to process started, p50", "ms", Some((8.0, 10.0))),
    figure("trigger to process started, p95", "ms", Some((20.0, 25.0))),
    figure("chain of 20 echo steps", "s", Some((0.2, 0.3))),
    figure("100 parallel steps", "s", Some((0.3, 0.4))),
    figure(JOBS, "jobs/s", None),
    figure("200,000 lines of 100 bytes, more than piped to cat", "s", Some((1.0, 1.0))),
    figure("the same piped to cat", "s", None),
    figure("server's peak memory, growth by 200,000 lines", "MiB", Some((64.0, 64.0))),
    figure("worker's peak memory, growth by 200,000 lines", "MiB", Some((64.0, 64.0))),
    figure("cancel to every process gone, p50", "ms", Some((100.0, 100.0))),
    figure("idle with 20 workers, CPU of all processes a minute", "s", Some((0.2, 0.2))),
    // SQLite does not count; a test of stroem-cli does.
    figure("idle with 20 workers, transactions of the database", "1/s", Some((5.0, 5.0))),
];

const JOBS: &str = "500 one-step jobs from 8 clients";
/// Jobs for each process of the floor, at least.
const JOBS_OVER_FLOOR: [(Store, f64); 2] = [(Store::Sqlite, 0.35), (Store::Postgres, 0.25)];

/// How much slower a full store may be than an empty one.
const FULL_OVER_EMPTY: f64 = 1.3;
const FULL_OVER_EMPTY_NAME: &str = ", full over empty";

/// All workloads, and the floor of the same run.
pub(crate) fn measure(repo: &Repo, options: &Options) -> Result<Vec<Measurement>> {
    build(repo)?;
    let spawns = floor::spawns(options.runs)?;
    let mut measurements = Vec::new();
    for store in stores(options) {
        let lines = run(repo, "product", store, [options.runs, options.idle])?;
        for line in lines.lines() {
            measurements.push(known_figure(line)?);
        }
        let jobs = format!("{}: {JOBS}", store.name());
        if let Some(jobs) = measurements.iter().find(|measurement| measurement.name == jobs) {
            let least = JOBS_OVER_FLOOR.iter().find(|(of, _)| *of == store).map(|(_, least)| *least);
            measurements.push(Measurement {
                name: format!("{}: those jobs over the floor's processes", store.name()),
                unit: "",
                runs: jobs.runs.iter().map(|jobs| jobs / spawns.median()).collect(),
                budget: least.map(Budget::AtLeast),
            });
        }
    }
    Ok(measurements)
}

/// What workers and pages ask, of an empty store and of one with a long history and a long queue.
pub(crate) fn history(repo: &Repo, options: &Options) -> Result<Vec<Measurement>> {
    build(repo)?;
    let mut measurements = Vec::new();
    for store in stores(options) {
        for line in run(repo, "history", store, [options.jobs, options.rows])?.lines() {
            let Line { name, values, .. } = read(line)?;
            let is_ratio = name.ends_with(FULL_OVER_EMPTY_NAME);
            measurements.push(Measurement {
                name: format!("{}: {name}", store.name()),
                unit: if is_ratio { "" } else { "ms" },
                runs: values,
                budget: is_ratio.then_some(Budget::AtMost(FULL_OVER_EMPTY)),
            });
        }
    }
    Ok(measurements)
}

fn stores(options: &Options) -> Vec<Store> {
    Store::ALL.into_iter().filter(|store| options.store.is_none_or(|only| only == *store)).collect()
}

fn build(repo: &Repo) -> Result<()> {
    let package = ["build", "--release", "--locked", "--package", "stroem-cli"];
    Shell::cargo(repo, &[&package[..], &["--bin", "stroem", "--example", "bench"]].concat()).run()
}

fn run(repo: &Repo, suite: &str, store: Store, numbers: [u32; 2]) -> Result<String> {
    let release = repo.target().join("release");
    let (program, stroem) = (release.join("examples/bench"), release.join("stroem"));
    let numbers = numbers.map(|number| number.to_string());
    let arguments = [suite, store.name(), &stroem.to_string_lossy(), &numbers[0], &numbers[1]];
    Shell::program(repo, &program.to_string_lossy(), &arguments).read()
}

/// A line of the program.
struct Line {
    store: String,
    name: String,
    values: Vec<f64>,
}

fn read(line: &str) -> Result<Line> {
    let value: Value = serde_json::from_str(line).with_context(|| format!("not a figure: {line}"))?;
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let values = value["values"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
    Ok(Line { store: text("store"), name: text("name"), values })
}

fn known_figure(line: &str) -> Result<Measurement> {
    let Line { store, name, values } = read(line)?;
    let known = FIGURES.iter().find(|known| known.name == name);
    let known = known.with_context(|| format!("no budget line for `{name}`"))?;
    let at_most = known.at_most.map(|(sqlite, postgres)| if store == "postgres" { postgres } else { sqlite });
    Ok(Measurement {
        name: format!("{store}: {name}"),
        unit: known.unit,
        runs: values,
        budget: at_most.map(Budget::AtMost),
    })
}
