//! The program itself: its configuration, its signals and its exit codes.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

/// Starts the program in a directory of its own, without the test's environment.
fn start(dir: &Path, config: &str) -> (Child, BufReader<ChildStderr>) {
    std::fs::write(dir.join("worker-config.yaml"), config).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_stroem-worker"))
        .current_dir(dir)
        .env_clear()
        .env("STROEM_CONFIG", "worker-config.yaml")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    (child, stderr)
}

#[test]
fn a_wrong_configuration_is_named_line_by_line() {
    let dir = tempfile::tempdir().unwrap();
    let (mut child, stderr) = start(dir.path(), "worker_token: t\nmax_concurent: 4\ntags: script\n");
    let said: Vec<String> = stderr.lines().map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(2));
    let said = said.join("\n");
    for expected in [
        "worker-config.yaml:2:1: unknown key `max_concurent` (did you mean `max_concurrent`?)",
        "worker-config.yaml:3:7",
    ] {
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_worker_without_a_server_waits_and_ends_at_the_first_signal() {
    let dir = tempfile::tempdir().unwrap();
    let (mut child, mut stderr) = start(dir.path(), "worker_token: t\nserver_url: http://127.0.0.1:1\n");
    let mut line = String::new();
    while !line.contains("cannot register yet") {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended");
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
