//! Running programs for the rungs: what is run is shown, output goes straight through, a failure is an error
//! that says which command it was.

use std::{env, ffi::OsString, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use crate::repo::{Repo, cargo};

/// A command to be run in the repository's root.
pub(crate) struct Shell {
    command: Command,
    shown: String,
}

impl Shell {
    /// `cargo ARGUMENTS`.
    pub(crate) fn cargo(repo: &Repo, arguments: &[&str]) -> Self {
        let mut shell = Self::program(repo, &cargo(), arguments);
        shell.shown = format!("cargo {}", arguments.join(" "));
        shell
    }

    /// Any program, found on the search path with the repository's own tools first.
    pub(crate) fn program(repo: &Repo, program: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(repo.root()).env("PATH", search_path(repo, &[]));
        // What cargo tells this program about itself would only make build scripts run again.
        let about_this_program = |name: &str| {
            ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_", "CARGO_CRATE_"]
                .iter()
                .any(|start| name.starts_with(start))
        };
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(about_this_program) {
                command.env_remove(name);
            }
        }
        Self { command, shown: format!("{program} {}", arguments.join(" ")).trim_end().to_owned() }
    }

    /// Sets a variable.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self.shown = format!("{name}={value} {}", self.shown);
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(mut self) -> Result<()> {
        println!("$ {}", self.shown);
        let status = self.command.status().with_context(|| format!("`{}` does not start", self.shown))?;
        if !status.success() {
            bail!("`{}` ended with {status}", self.shown);
        }
        Ok(())
    }

    /// Runs it to its end and gives what it printed on standard output.
    pub(crate) fn read(mut self) -> Result<String> {
        let output = self.command.output().with_context(|| format!("`{}` does not start", self.shown))?;
        if !output.status.success() {
            bail!(
                "`{}` ended with {}\n{}",
                self.shown,
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
        }
        String::from_utf8(output.stdout).with_context(|| format!("`{}` printed no UTF-8", self.shown))
    }

    /// Runs it to its end, lets its errors be seen, and gives what it printed, however it ended.
    pub(crate) fn read_whatever(mut self) -> Result<String> {
        self.command.stderr(std::process::Stdio::inherit());
        let output = self.command.output().with_context(|| format!("`{}` does not start", self.shown))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// `PATH` with `first`, then the repository's tools, before everything else.
pub(crate) fn search_path(repo: &Repo, first: &[PathBuf]) -> OsString {
    let inherited = env::var_os("PATH").unwrap_or_default();
    let folders = first.iter().cloned().chain([repo.tools().join("bin")]).chain(env::split_paths(&inherited));
    env::join_paths(folders).unwrap_or(inherited)
}
