//! Runs the snippets of one document in a copy of the repository.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::{repo::Repo, shell::search_path};

/// The longest that one snippet runs.
const TIMEOUT: &str = "180s";

/// The copy in which the snippets of one document run.
pub(crate) struct Scratch<'a> {
    repo: &'a Repo,
    folder: TempDir,
    printed: String,
}

impl<'a> Scratch<'a> {
    /// Copies `files` of the repository.
    pub(crate) fn new(repo: &'a Repo, files: &[String]) -> Result<Self> {
        let folder =
            tempfile::Builder::new().prefix("stroem-docs-").tempdir().context("no temporary folder")?;
        for file in files {
            let to = folder.path().join("copy").join(file);
            if let Some(parent) = to.parent() {
                fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
            }
            fs::copy(repo.root().join(file), &to).with_context(|| format!("cannot copy {file}"))?;
        }
        fs::create_dir_all(folder.path().join("home")).context("cannot create the home folder")?;
        Ok(Self { repo, folder, printed: String::new() })
    }

    /// Runs a script; what it leaves running is killed with it.
    pub(crate) fn script(&mut self, text: &str) -> Result<()> {
        let bash = ["bash", "-euo", "pipefail", "-c", text];
        let (ended_well, printed, problem) = self.execute(&bash)?;
        self.printed = printed;
        ensure!(ended_well, "ended badly\n{}{problem}", self.printed);
        Ok(())
    }

    /// Compares what the last script printed.
    pub(crate) fn expect_output(&self, expected: &str) -> Result<()> {
        match first_missing_line(expected, &self.printed) {
            None => Ok(()),
            Some(line) => bail!("`{line}` is not what was printed:\n{}", self.printed),
        }
    }

    /// Validates a workflow file, in a workspace of its own if it has no path.
    pub(crate) fn workflow(&self, path: Option<&str>, text: &str) -> Result<()> {
        let workspace = self.write(path, text)?;
        let (ended_well, printed, problem) = self.execute(&["stroem", "validate", &workspace])?;
        ensure!(ended_well, "is not a valid workflow\n{printed}{problem}");
        Ok(())
    }

    /// Validates a workflow file that must have a problem of this code.
    pub(crate) fn wrong(&self, code: &str, text: &str) -> Result<()> {
        let workspace = self.write(None, text)?;
        let (_, printed, problem) = self.execute(&["stroem", "validate", &workspace, "--output", "json"])?;
        let found = printed.contains(&format!("\"code\": \"{code}\""));
        ensure!(found, "has no problem `{code}`\n{printed}{problem}");
        Ok(())
    }

    /// Puts a workflow file into a workspace, and gives the workspace's path.
    fn write(&self, path: Option<&str>, text: &str) -> Result<String> {
        let file = match path {
            Some(path) => self.copy().join(path),
            None => self.folder.path().join("alone/.workflows/snippet.yaml"),
        };
        let folder = file.parent().context("a workflow file is in a folder")?;
        fs::create_dir_all(folder).context("cannot create the workspace")?;
        fs::write(&file, text).context("cannot write the workflow file")?;
        let mut workspace = folder;
        while !workspace.ends_with(".workflows") {
            workspace = workspace.parent().context("a workflow file is below .workflows")?;
        }
        let workspace = workspace.parent().and_then(Path::to_str).context("the workspace has no path")?;
        Ok(workspace.to_owned())
    }

    fn copy(&self) -> std::path::PathBuf {
        self.folder.path().join("copy")
    }

    /// Whether it ended well, and both its outputs. These go to files: a pipe would stay open for as long as
    /// anything that the snippet started in the background.
    fn execute(&self, command: &[&str]) -> Result<(bool, String, String)> {
        let (output, errors) = (self.folder.path().join("stdout"), self.folder.path().join("stderr"));
        let create = |path: &Path| fs::File::create(path).context("cannot create a file for the output");
        let programs = self.repo.built("");
        let mut child = Command::new("timeout")
            .args(["--kill-after=5s", TIMEOUT])
            .args(command)
            .current_dir(self.copy())
            .env("PATH", search_path(self.repo, &[programs]))
            .env("HOME", self.folder.path().join("home"))
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(create(&output)?)
            .stderr(create(&errors)?)
            .spawn()
            .with_context(|| format!("`{}` does not start", command[0]))?;
        let status = child.wait().context("cannot wait for the snippet")?;
        let group = format!("-{}", child.id());
        // It fails when nothing is left of the group, which is the usual case.
        let _gone = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let read = |path: &Path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ok((status.success(), read(&output)?, read(&errors)?))
    }
}

/// The first line of `expected` that does not occur in `printed` after the ones before it.
fn first_missing_line<'a>(expected: &'a str, printed: &str) -> Option<&'a str> {
    let mut printed = printed.lines();
    expected
        .lines()
        .filter(|line| !line.trim().is_empty())
        .find(|expected| !printed.any(|line| matches(expected.trim(), line.trim())))
}

/// Whether `line` is `pattern`, in which `...` stands for anything.
fn matches(pattern: &str, line: &str) -> bool {
    let Some((first, rest)) = pattern.split_once("...") else {
        return pattern == line;
    };
    let Some(mut line) = line.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = rest.split("...").collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        let Some(at) = line.find(piece) else { return false };
        line = &line[at + piece.len()..];
    }
    line.ends_with(last)
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use super::*;

    /// A copy of a repository with one file, whose program `stroem` says what it was asked.
    fn with_scratch(check: impl FnOnce(&mut Scratch<'_>)) {
        let root = tempfile::tempdir().expect("a temporary folder");
        let repo = Repo::of_folder(root.path());
        fs::create_dir_all(repo.built("")).expect("a folder for programs");
        fs::write(repo.built("stroem"), "#!/bin/sh\necho \"$1\"; cat \"$2\"/.workflows/*\n")
            .expect("a program");
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(repo.built("stroem"), executable).expect("an executable program");
        fs::write(root.path().join("a.txt"), "original\n").expect("a file");
        check(&mut Scratch::new(&repo, &["a.txt".to_owned()]).expect("a copy"));
        let untouched = fs::read_to_string(root.path().join("a.txt")).expect("the file is still there");
        assert_eq!(untouched, "original\n");
    }

    #[test]
    fn snippets_of_a_document_share_a_copy() {
        with_scratch(|scratch| {
            scratch.script("echo changed > a.txt").expect("the script ends well");
            scratch.script("cat a.txt; stroem validate .").expect_err("there is no workflow yet");
            scratch.workflow(Some(".workflows/b.yaml"), "tasks: {}\n").expect("the program accepts it");
            scratch.script("cat a.txt; stroem validate .").expect("the script ends well");
            scratch.expect_output("changed\nvalidate\ntasks: {}\n").expect("that is what was printed");
            scratch.expect_output("original\n").expect_err("that was never printed");
        });
    }

    #[test]
    fn a_wrong_workflow_must_have_the_problem() {
        with_scratch(|scratch| {
            scratch.wrong("no_steps", "{\"code\": \"no_steps\"}\n").expect("the program names it");
            scratch.wrong("no_steps", "{\"code\": \"other\"}\n").expect_err("the program does not");
        });
    }

    #[test]
    fn a_failing_command_ends_a_snippet() {
        with_scratch(|scratch| {
            let error = scratch.script("echo before; false; echo after").expect_err("false fails");
            let text = error.to_string();
            assert!(text.contains("before") && !text.contains("after"), "{text}");
        });
    }

    #[test]
    fn what_a_snippet_leaves_running_is_killed() {
        with_scratch(|scratch| {
            scratch.script("sleep 1000 & echo $!").expect("the script ends well");
            let state = format!("/proc/{}/stat", scratch.printed.trim());
            let is_gone = || fs::read_to_string(&state).map_or(true, |stat| stat.contains(") Z"));
            let gone = (0..500).any(|_| {
                thread::sleep(Duration::from_millis(10));
                is_gone()
            });
            assert!(gone, "the background process is still there");
        });
    }

    #[test]
    fn three_dots_stand_for_anything() {
        for (pattern, line, expected) in [
            ("a b", "a b", true),
            ("a b", "a b c", false),
            ("a ... c", "a b c", true),
            ("...", "", true),
            ("job ... ended in ... ms", "job 1 ended in 20 ms", true),
            ("job ... ended in ... ms", "job 1 ended in 20 s", false),
            ("a...a", "a", false),
        ] {
            assert_eq!(matches(pattern, line), expected, "{pattern} / {line}");
        }
    }

    #[test]
    fn lines_are_expected_in_order() {
        assert_eq!(first_missing_line("a\n\nc\n", "a\nb\nc\n"), None);
        assert_eq!(first_missing_line("c\na\n", "a\nb\nc\n"), Some("a"));
        assert_eq!(first_missing_line("d\n", "a\n"), Some("d"));
    }
}
