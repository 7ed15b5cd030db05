//! `cargo xtask fuzz` runs this: fuzzes the targets for a while, keeps what it finds, and says how much it did.

#![expect(clippy::print_stdout, reason = "a command-line tool talks on standard output")]

use std::{fs, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use stroem_fuzz::{
    drive::{Limits, Summary, drive},
    targets,
};

#[derive(Debug, Parser)]
#[command(name = "stroem-fuzz", about = "Fuzzes what reads text that others wrote")]
struct Arguments {
    /// Only this target: yaml, templates, framing or masking
    #[arg(long)]
    target: Option<String>,
    /// How long each target is fuzzed
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Where the numbers begin; the same seed gives the same inputs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Shows one kept input to the target and nothing else
    #[arg(long)]
    input: Option<PathBuf>,
    /// Keeps the current input in a file, for what ends the process
    #[arg(long)]
    trace: Option<PathBuf>,
    /// The repository
    #[arg(long, default_value = ".")]
    root: PathBuf,
    /// Where findings are kept
    #[arg(long, default_value = "target/fuzz-findings")]
    findings: PathBuf,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(count) => {
            println!("{count} finding(s)");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<usize> {
    let mut targets = targets::all(&arguments.root)?;
    if let Some(name) = &arguments.target {
        targets.retain(|target| target.name() == name);
        ensure!(
            !targets.is_empty(),
            "there is no target `{name}`, only yaml, templates, framing and masking"
        );
    }
    if let Some(path) = &arguments.input {
        let input = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        for target in &targets {
            println!("{}: {:?}", target.name(), target.run(&input));
        }
        return Ok(0);
    }
    let limits = Limits {
        seed: arguments.seed,
        time: Duration::from_secs(arguments.seconds),
        trace: arguments.trace.clone(),
        ..Limits::default()
    };
    // What a target panics with is in the summary.
    std::panic::set_hook(Box::new(|_| {}));
    let mut count = 0;
    for target in &targets {
        let summary = drive(target.as_ref(), &limits);
        println!("{}: {}", target.name(), line(&summary));
        count += summary.findings.len();
        keep(arguments, target.name(), &summary)?;
    }
    Ok(count)
}

fn line(summary: &Summary) -> String {
    format!(
        "{} inputs, {} new in kind, slowest {} ms, at most {} MiB more, {} finding(s)",
        summary.runs,
        summary.kept,
        summary.slowest.as_millis(),
        summary.memory_bytes >> 20,
        summary.findings.len()
    )
}

fn keep(arguments: &Arguments, target: &str, summary: &Summary) -> Result<()> {
    for (index, finding) in summary.findings.iter().enumerate() {
        fs::create_dir_all(&arguments.findings).context("cannot create the folder for findings")?;
        let path = arguments.findings.join(format!("{target}-{}-{index}", arguments.seed));
        fs::write(&path, &finding.input).context("cannot keep a finding")?;
        let what: String = finding.what.chars().take(400).collect();
        println!("  {}: {what}", path.display());
    }
    Ok(())
}
