//! Blocks of the documents on deployment, which the tests run as they are written.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use super::{Objects, is_here, repository};
use crate::harness::STROEM;

/// The blocks of a document that name this test, in order.
pub(super) fn blocks(document: &str, test: &str) -> Vec<String> {
    let text = std::fs::read_to_string(repository().join(document)).expect("a document");
    let marks = [format!("```sh test={test}"), format!("```yaml test={test}")];
    let mut found: Vec<String> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        if marks.iter().any(|mark| mark == line) {
            open = true;
            found.push(String::new());
        } else if line == "```" {
            open = false;
        } else if let Some(block) = found.last_mut().filter(|_| open) {
            block.push_str(line);
            block.push('\n');
        }
    }
    assert!(!found.is_empty(), "{document} has no block of {test}");
    found
}

/// Programs that stand before others on the path.
pub(super) struct Programs {
    folder: tempfile::TempDir,
}

impl Programs {
    pub(super) fn new() -> Self {
        let programs = Self { folder: tempfile::tempdir().expect("a directory") };
        programs.put("stroem", &format!("exec {STROEM} \"$@\""));
        programs
    }

    pub(super) fn put(&self, name: &str, script: &str) {
        let file = self.folder.path().join(name);
        std::fs::write(&file, format!("#!/bin/bash\n{script}\n")).expect("written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    }

    /// Runs a block in a folder; what it prints.
    #[track_caller]
    pub(super) fn run(&self, block: &str, folder: &Path, variables: &[(&str, &str)]) -> String {
        #[expect(clippy::disallowed_methods, reason = "the programs go before those that are there")]
        let path = std::env::var("PATH").expect("a path");
        // What waits for something that does not come ends, too.
        let ran = Command::new("timeout")
            .args(["100", "bash", "-euo", "pipefail", "-c", block])
            .current_dir(folder)
            .env("PATH", format!("{}:{path}", self.folder.path().display()))
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .output()
            .expect("bash");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        assert!(ran.status.success(), "{block}\n{}\n{}", text(&ran.stdout), text(&ran.stderr));
        text(&ran.stdout)
    }
}

#[test]
fn the_documented_commands_render() {
    if !is_here() {
        return;
    }
    let programs = Programs::new();
    // What would be installed, without a cluster.
    programs.put("helm", "[ \"$1\" = install ] && exec python3 dev/helm template \"${@:2}\"");
    for block in blocks("docs/deploy/kubernetes.md", "the_documented_commands_render") {
        let objects = Objects::read(&programs.run(&block, &repository(), &[]));
        assert_eq!(objects.all("Deployment").len(), 2);
    }
}

#[test]
fn the_documented_values_render() {
    if !is_here() {
        return;
    }
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("values.yaml");
    for block in blocks("docs/deploy/kubernetes.md", "the_documented_values_render") {
        std::fs::write(&file, block).expect("written");
        let objects = Objects::of(&["--values", &file.display().to_string()]);
        assert_eq!(objects.all("Ingress").len(), 1);
    }
}
