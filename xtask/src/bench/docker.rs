//! The docker runner over the `docker` program, in the same run: ratios that do not depend on the machine. The workloads
//! are tests of the runner at full size; they print their figures, and the budgets are here.

use anyhow::{Context, Result};

use super::{
    Options,
    measurement::{Budget, Measurement},
};
use crate::{repo::Repo, shell::Shell};

/// What the tests print, and the figure's name.
const FIGURES: &[(&str, &str)] = &[
    ("one container", "container of `true` over docker run --rm"),
    ("eight loops", "56 containers, 8 at a time, over 8 loops of docker run"),
    ("a workspace", "workspace of 2,000 files, 50 MB, over docker cp"),
];

/// The most that a ratio may be.
const BUDGET: f64 = 1.3;

/// All workloads; none where there is no engine.
#[expect(clippy::print_stderr, reason = "standard output may be JSON")]
pub(crate) fn measure(repo: &Repo, _options: &Options) -> Result<Vec<Measurement>> {
    let arguments = [
        "nextest",
        "run",
        "--locked",
        "--release",
        "--package",
        "stroem-runner-docker",
        "--no-capture",
        "--no-fail-fast",
        "-E",
        "test(/(^|::)speed::proof_/)",
    ];
    // A ratio out of budget fails its test, and is a figure all the same.
    let output = Shell::cargo(repo, &arguments).variable("STROEM_PROOF", "full").read_whatever()?;
    let found: Vec<Measurement> =
        output.lines().filter_map(|line| figure(line).transpose()).collect::<Result<_>>()?;
    if found.is_empty() {
        eprintln!("docker: nothing is measured without a Docker engine (`dev/docker up`)");
    }
    Ok(found)
}

/// `NAME: ours TIME, docker TIME, ratio RATIO`.
fn figure(line: &str) -> Result<Option<Measurement>> {
    let Some((known, name)) = FIGURES.iter().find(|(known, _)| line.starts_with(&format!("{known}: ours ")))
    else {
        return Ok(None);
    };
    let ratio = line.rsplit_once("ratio ").and_then(|(_, ratio)| ratio.trim().parse().ok());
    let ratio = ratio.with_context(|| format!("no ratio of `{known}` in: {line}"))?;
    Ok(Some(Measurement {
        name: (*name).to_owned(),
        unit: "",
        runs: vec![ratio],
        budget: Some(Budget::AtMost(BUDGET)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_test_is_a_figure() {
        let found =
            figure("one container: ours 1.2s, docker 1.1s, ratio 1.09").expect("a figure").expect("one");
        assert_eq!(
            (found.name, found.runs, found.budget.is_some()),
            (FIGURES[0].1.to_owned(), vec![1.09], true)
        );
        assert!(figure("running 3 tests").expect("no error").is_none());
        assert!(figure("one container: ours 1.2s, docker 1.1s").is_err());
    }
}
