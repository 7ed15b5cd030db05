//! What the ladder says at its end.

use std::fmt::Write as _;

use anyhow::{Result, bail};

/// What became of a rung.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Passed,
    Failed(String),
    Skipped(String),
    /// A rung before it failed.
    NotReached,
}

/// A rung with its result.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) seconds: f64,
    pub(crate) status: Status,
    /// Parts of a rung that did run which were skipped.
    pub(crate) skips: Vec<String>,
}

/// Minutes per rung, then every skip with its reason.
pub(crate) fn table(lines: &[Line]) -> String {
    let mut text = String::from("\n| rung | result | minutes |\n| --- | --- | ---: |\n");
    let mut total = 0.0;
    for line in lines {
        let result = match &line.status {
            Status::Passed if line.skips.is_empty() => "passed",
            Status::Passed => "passed, with skips",
            Status::Failed(_) => "FAILED",
            Status::Skipped(_) => "SKIPPED",
            Status::NotReached => "not reached",
        };
        total += line.seconds;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {} | {result} | {:.1} |", line.name, line.seconds / 60.0);
    }
    let _ = writeln!(text, "| all | | {:.1} |", total / 60.0);
    for (name, reason) in skips(lines) {
        let _ = writeln!(text, "skipped: {name}: {reason}");
    }
    text
}

/// Whether the tree is good.
pub(crate) fn verdict(lines: &[Line], skips_fail: bool) -> Result<()> {
    for line in lines {
        if let Status::Failed(reason) = &line.status {
            bail!("rung `{}` failed: {}", line.name, reason.lines().next().unwrap_or_default());
        }
    }
    let skipped = skips(lines).len();
    if skips_fail && skipped > 0 {
        bail!("{skipped} skip(s), and with CI=true nothing may be skipped");
    }
    Ok(())
}

fn skips(lines: &[Line]) -> Vec<(&str, &str)> {
    let mut skips = vec![];
    for line in lines {
        if let Status::Skipped(reason) = &line.status {
            skips.push((line.name, reason.as_str()));
        }
        skips.extend(line.skips.iter().map(|reason| (line.name, reason.as_str())));
    }
    skips
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &'static str, status: Status, skips: &[&str]) -> Line {
        Line { name, seconds: 90.0, status, skips: skips.iter().map(|s| (*s).to_owned()).collect() }
    }

    #[test]
    fn the_table_has_minutes_and_reasons() {
        let lines = [
            line("format", Status::Passed, &[]),
            line("tests", Status::Passed, &["no cgroup"]),
            line("deny", Status::Skipped("no cargo-deny".to_owned()), &[]),
        ];
        let expected = "
| rung | result | minutes |
| --- | --- | ---: |
| format | passed | 1.5 |
| tests | passed, with skips | 1.5 |
| deny | SKIPPED | 1.5 |
| all | | 4.5 |
skipped: tests: no cgroup
skipped: deny: no cargo-deny
";
        assert_eq!(table(&lines), expected);
    }

    #[test]
    fn a_skip_fails_in_ci_only() {
        for lines in
            [[line("a", Status::Skipped("why".to_owned()), &[])], [line("a", Status::Passed, &["why"])]]
        {
            assert!(verdict(&lines, false).is_ok());
            assert!(verdict(&lines, true).is_err());
        }
        assert!(verdict(&[line("a", Status::Passed, &[])], true).is_ok());
    }

    #[test]
    fn a_failure_always_fails() {
        let lines = [line("a", Status::Failed("b\nc".to_owned()), &[]), line("d", Status::NotReached, &[])];
        let error = verdict(&lines, false).expect_err("a rung failed");
        assert_eq!(error.to_string(), "rung `a` failed: b");
    }
}
