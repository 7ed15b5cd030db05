//! kill -9 of a worker and of its keeper: the worker's processes go with it.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::support::{alive, wait_until};

/// Silent processes, grandchildren, new sessions, processes deaf to signals; each writes its number.
const SCRIPT: &str = "exec >/dev/null 2>&1
    sleep 1000 & echo $! >> $LIST
    setsid sleep 1000 & echo $! >> $LIST
    setsid sh -c 'sleep 1000 & echo $! >> $LIST; trap \"\" TERM HUP INT; echo $$ >> $LIST; sleep 1000' &
    echo $$ >> $LIST
    sleep 1000; sleep 1000";
const PROCESSES: usize = 5;

/// The program of a worker in miniature.
fn program() -> PathBuf {
    let exe = std::env::current_exe().expect("this test");
    exe.parent().and_then(|deps| deps.parent()).expect("target").join("examples/hold")
}

/// A worker in miniature that runs the script; its keeper's number is the first line it prints.
fn worker(dir: &Path) -> (Child, String) {
    let script = SCRIPT.replace("$LIST", &dir.join("list").display().to_string());
    let mut worker = Command::new(program())
        .arg(dir.join("attempt"))
        .arg(script)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the example is built with the tests");
    let mut keeper = String::new();
    BufReader::new(worker.stdout.take().expect("piped")).read_line(&mut keeper).expect("a line");
    (worker, keeper.trim().to_owned())
}

fn listed(dir: &Path) -> Vec<String> {
    std::fs::read_to_string(dir.join("list")).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn signal(signal: &str, pid: &str) {
    assert!(Command::new("kill").args([signal, pid]).status().expect("kill runs").success());
}

#[tokio::test]
async fn kill_9_of_the_worker_takes_every_process_with_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut worker, keeper) = worker(dir.path());
    wait_until("all run", || listed(dir.path()).len() == PROCESSES).await;
    // What ends the processes of a terminal or a service does not end the keeper.
    for harmless in ["-TERM", "-INT", "-HUP"] {
        signal(harmless, &keeper);
    }
    worker.kill().and_then(|()| worker.wait()).expect("a child");
    let pids = listed(dir.path());
    wait_until("all are gone", || pids.iter().all(|pid| !alive(pid))).await;
    wait_until("the keeper has ended", || !alive(&keeper)).await;
}

#[tokio::test]
async fn a_keeper_that_died_is_replaced_by_one_that_knows_as_much() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut worker, keeper) = worker(dir.path());
    wait_until("all run", || listed(dir.path()).len() == PROCESSES).await;
    signal("-KILL", &keeper);
    let own = worker.id().to_string();
    let replaced = || {
        let children =
            std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        let is_keeper = |pid: &str| {
            let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            pid != keeper && line.contains("__stroem-keeper")
        };
        children.split_whitespace().any(is_keeper)
    };
    wait_until("there is another", replaced).await;
    worker.kill().and_then(|()| worker.wait()).expect("a child");
    let pids = listed(dir.path());
    wait_until("all are gone", || pids.iter().all(|pid| !alive(pid))).await;
}

/// `docker exec`, `kubectl exec` and some supervisors start a program so: its session has no number in its namespace.
#[tokio::test]
async fn a_worker_whose_session_began_outside_its_namespace_runs_its_steps() {
    if !rustix::process::geteuid().is_root() {
        stroem_runner::conformance::skip("a process namespace needs root");
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let script =
        format!("setsid sleep 1000 & cut -d ' ' -f 6 /proc/1/stat > {}", dir.path().join("list").display());
    let ended = Command::new("unshare")
        .args(["--pid", "--fork", "--mount-proc"])
        .arg(program())
        .arg(dir.path().join("attempt"))
        .arg(script)
        .stdout(Stdio::null())
        .status()
        .expect("util-linux is here");
    assert!(ended.success(), "{ended}");
    assert_eq!(listed(dir.path()), ["0"]);
}
