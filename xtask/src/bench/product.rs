//! What the product does on top of the floor: release builds of a server and one worker with eight slots, as processes
//! of their own, over HTTP on the embedded store. The workloads are an example of `stroem-cli`; the budgets are here.

use anyhow::{Context, Result};
use serde_json::Value;

use super::{
    floor,
    measurement::{Budget, Measurement},
};
use crate::{repo::Repo, shell::Shell};

/// How long the system idles for its figure, in seconds.
const IDLE_SECS: &str = "30";

/// Names, units and budgets. A ratio to the floor is made of the figure before it.
const FIGURES: &[(&str, &str, Option<Budget>)] = &[
    ("server serves after exec", "ms", Some(Budget::AtMost(1_000.0))),
    ("trigger to process started, p50", "ms", Some(Budget::AtMost(8.0))),
    ("trigger to process started, p95", "ms", Some(Budget::AtMost(20.0))),
    ("chain of 20 echo steps", "s", Some(Budget::AtMost(0.2))),
    ("100 parallel steps", "s", Some(Budget::AtMost(0.3))),
    ("500 one-step jobs from 8 clients", "jobs/s", None),
    ("200,000 lines of 100 bytes, more than piped to cat", "s", Some(Budget::AtMost(1.0))),
    ("the same piped to cat", "s", None),
    ("server's peak memory, growth by 200,000 lines", "MiB", Some(Budget::AtMost(64.0))),
    ("worker's peak memory, growth by 200,000 lines", "MiB", Some(Budget::AtMost(64.0))),
    ("cancel to every process gone, p50", "ms", Some(Budget::AtMost(100.0))),
    ("idle with 20 workers, CPU of all processes a minute", "s", Some(Budget::AtMost(0.2))),
];

const JOBS: &str = "500 one-step jobs from 8 clients";
const JOBS_OVER_FLOOR: f64 = 0.35;

/// All workloads, and the floor of the same run.
pub(crate) fn measure(repo: &Repo, runs: u32) -> Result<Vec<Measurement>> {
    Shell::cargo(
        repo,
        &[
            "build",
            "--release",
            "--locked",
            "--package",
            "stroem-cli",
            "--bin",
            "stroem",
            "--example",
            "bench",
        ],
    )
    .run()?;
    let release = repo.target().join("release");
    let spawns = floor::spawns(runs)?;
    let program = release.join("examples/bench");
    let stroem = release.join("stroem");
    let output = Shell::program(
        repo,
        &program.to_string_lossy(),
        &[&stroem.to_string_lossy(), &runs.to_string(), IDLE_SECS],
    )
    .read()?;
    let mut measurements = Vec::new();
    for line in output.lines() {
        measurements.push(figure(line)?);
    }
    if let Some(jobs) = measurements.iter().find(|measurement| measurement.name == JOBS) {
        let ratio = jobs.runs.iter().map(|jobs| jobs / spawns.median()).collect();
        let budget = Some(Budget::AtLeast(JOBS_OVER_FLOOR));
        measurements.push(Measurement {
            name: "those jobs over the floor's processes",
            unit: "",
            runs: ratio,
            budget,
        });
    }
    Ok(measurements)
}

fn figure(line: &str) -> Result<Measurement> {
    let value: Value = serde_json::from_str(line).with_context(|| format!("not a figure: {line}"))?;
    let name = value["name"].as_str().unwrap_or_default();
    let known = FIGURES.iter().find(|(known, ..)| *known == name);
    let (name, unit, budget) = known.with_context(|| format!("no budget line for `{name}`"))?;
    let runs: Vec<f64> = value["values"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
    Ok(Measurement { name, unit, runs, budget: *budget })
}
