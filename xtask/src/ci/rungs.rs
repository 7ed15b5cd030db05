//! The rungs, in order. A new one is a function and a line in [`ALL`].

use std::fs;

use anyhow::{Context, Result, ensure};

use super::Rung;
use crate::{codegen, docs, prerequisites::Tool, repo::Repo, shell::Shell, tidy};

/// The variable that names the file to which a test appends a line when it skips: its name, a colon, the reason.
const SKIP_FILE: &str = "STROEM_SKIP_FILE";

/// The ladder: what takes seconds, what compiles, what runs.
pub(crate) const ALL: &[Rung] = &[
    Rung { name: "format", needs: &[&Tool::RUSTFMT], wants: &[], run: format },
    Rung { name: "tidy", needs: &[&Tool::GIT], wants: &[], run: tidy },
    Rung { name: "deny", needs: &[&Tool::DENY], wants: &[], run: deny },
    Rung { name: "clippy", needs: &[&Tool::CLIPPY, &Tool::C_COMPILER], wants: &[], run: clippy },
    Rung { name: "features", needs: &[&Tool::C_COMPILER], wants: &[], run: features },
    Rung { name: "build", needs: &[&Tool::C_COMPILER], wants: &[], run: build },
    Rung {
        name: "tests",
        needs: &[&Tool::NEXTEST, &Tool::C_COMPILER, &Tool::BASH],
        wants: &[
            &Tool::PYTHON,
            &Tool::NODE,
            &Tool::NPM,
            &Tool::UV,
            &Tool::BUN,
            &Tool::GO,
            &Tool::POSTGRES,
            &Tool::DOCKER,
            &Tool::KUBERNETES,
            &Tool::COMPOSE,
            &Tool::HELM,
        ],
        run: tests,
    },
    Rung { name: "doctests", needs: &[&Tool::C_COMPILER], wants: &[], run: doctests },
    Rung { name: "codegen", needs: &[&Tool::C_COMPILER], wants: &[], run: codegen },
    Rung {
        name: "ui",
        needs: &[&Tool::NODE_20, &Tool::NPM, &Tool::CHROMIUM, &Tool::C_COMPILER],
        wants: &[],
        run: ui,
    },
    Rung {
        name: "snippets",
        needs: &[&Tool::GIT, &Tool::BASH, &Tool::C_COMPILER],
        wants: &[],
        run: snippets,
    },
    Rung { name: "demo", needs: &[&Tool::MAKE, &Tool::BASH, &Tool::C_COMPILER], wants: &[], run: demo },
];

fn format(repo: &Repo) -> Result<Vec<String>> {
    Shell::cargo(repo, &["fmt", "--all", "--check"]).run()?;
    Ok(vec![])
}

fn tidy(repo: &Repo) -> Result<Vec<String>> {
    tidy::run(repo)?;
    Ok(vec![])
}

fn deny(repo: &Repo) -> Result<Vec<String>> {
    let arguments =
        ["deny", "--all-features", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"];
    Shell::cargo(repo, &arguments).run()?;
    Ok(vec![])
}

fn clippy(repo: &Repo) -> Result<Vec<String>> {
    let arguments = ["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
    Shell::cargo(repo, &arguments).run()?;
    Ok(vec![])
}

/// Each optional feature of each crate alone, and none: what the workspace build, with its defaults, never sees.
fn features(repo: &Repo) -> Result<Vec<String>> {
    for package in repo.members() {
        let optional: Vec<&String> = package.features.iter().filter(|name| *name != "default").collect();
        if optional.is_empty() {
            println!("{}: no features", package.name);
            continue;
        }
        for features in std::iter::once("").chain(optional.iter().map(|name| name.as_str())) {
            let mut arguments =
                vec!["check", "--locked", "--package", &package.name, "--no-default-features"];
            if !features.is_empty() {
                arguments.extend(["--features", features]);
            }
            Shell::cargo(repo, &arguments).run()?;
        }
    }
    Ok(vec![])
}

fn build(repo: &Repo) -> Result<Vec<String>> {
    Shell::cargo(repo, &["build", "--locked", "--workspace", "--all-targets"]).run()?;
    Ok(vec![])
}

fn tests(repo: &Repo) -> Result<Vec<String>> {
    let skips = repo.target().join("skipped-tests.txt");
    fs::create_dir_all(repo.target()).context("cannot create the target folder")?;
    fs::write(&skips, "").context("cannot write the list of skipped tests")?;
    let path = skips.to_str().context("the target folder's name is not UTF-8")?;
    let arguments = ["nextest", "run", "--locked", "--workspace", "--profile", "ci"];
    let mut tests = Shell::cargo(repo, &arguments).variable(SKIP_FILE, path);
    // Without a cluster the tests that need one say that they are skipped.
    let (program, probe) = Tool::KUBERNETES.probe;
    if let Ok(file) = Shell::program(repo, program, probe).read() {
        tests = tests.variable("KUBECONFIG", file.trim());
    }
    tests.run()?;
    let skipped = fs::read_to_string(&skips).context("cannot read the list of skipped tests")?;
    Ok(skipped.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
}

fn doctests(repo: &Repo) -> Result<Vec<String>> {
    Shell::cargo(repo, &["test", "--locked", "--workspace", "--doc", "--quiet"]).run()?;
    Ok(vec![])
}

fn codegen(repo: &Repo) -> Result<Vec<String>> {
    codegen::run(repo, &codegen::Options { check: true })?;
    Ok(vec![])
}

/// The web page: its client fits the API, its types hold, its units work, its size is in its budget, and a real browser
/// finds its way through it on the real server and worker.
fn ui(repo: &Repo) -> Result<Vec<String>> {
    let npm =
        |arguments: &[&str]| Shell::program(repo, "npm", &[&["--prefix", "ui"], arguments].concat()).run();
    npm(&["ci", "--no-audit", "--no-fund"])?;
    npm(&["run", "build"])?;
    npm(&["test"])?;
    // The program takes the page in that was built just now.
    Shell::cargo(repo, &["build", "--locked", "--package", "stroem-cli"]).run()?;
    let program = repo.built("stroem");
    let program = program.to_str().context("the target folder's name is not UTF-8")?;
    let arguments = ["--prefix", "ui", "run", "e2e"];
    Shell::program(repo, "npm", &arguments).variable("STROEM_BIN", program).run()?;
    Ok(vec![])
}

fn snippets(repo: &Repo) -> Result<Vec<String>> {
    docs::run(repo, &docs::Options::default())?;
    Ok(vec![])
}

fn demo(repo: &Repo) -> Result<Vec<String>> {
    let printed = Shell::program(repo, "make", &["--no-print-directory", "demo", "ONCE=1"]).read()?;
    print!("{printed}");
    ensure!(!printed.trim().is_empty(), "the demo printed nothing");
    Ok(vec![])
}
