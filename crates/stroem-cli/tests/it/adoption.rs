//! Workers die, drain or fall silent while containers run: others, or they themselves when they are back, bring what
//! runs to its end. Nothing is lost, nothing runs twice, nothing is left.
//!
//! Every step prints its first lines, waits for a file that the test makes in it, and prints the rest, so that the test
//! decides what happens before, in and after the gap.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use stroem_core::{JobId, Timestamp};
use tempfile::TempDir;

use crate::{
    docker::{IMAGE, docker, is_here, left_of, worker},
    harness::{System, folder, wait_for},
};

/// Lines before the gate and as many behind it.
const LINES: usize = 150;
const QUICK: &str = "recovery: {heartbeat_timeout_secs: 3}";

/// Steps that wait at their gate.
pub(crate) fn gated(count: usize, runner: &str) -> String {
    let script = format!(
        "          i=0; while [ $i -lt {LINES} ]; do i=$((i + 1)); echo \"line $i\"; done\n\
         \x20         echo \"the $TOKEN\"\n\
         \x20         until [ -e /tmp/gate ]; do sleep 0.1; done\n\
         \x20         echo \"the $TOKEN\"\n\
         \x20         while [ $i -lt {all} ]; do i=$((i + 1)); echo \"line $i\"; done\n\
         \x20         echo \"OUTPUT: {{\\\"n\\\": $i}}\"\n",
        all = 2 * LINES
    );
    let steps: String = (0..count)
        .map(|index| {
            format!(
                "      s{index}:\n        type: script\n        runner: {runner}\n        env: {{TOKEN: '{{{{ secret.token }}}}'}}\n        script: |\n{script}"
            )
        })
        .collect();
    format!("secrets: {{token: s3cr3t-value}}\ntasks:\n  t:\n    flow:\n{steps}")
}

/// What each of them prints.
fn expected() -> Vec<String> {
    let line = |number| format!("line {number}");
    let masked = || "the ••••••".to_owned();
    let (first, rest) = ((1..=LINES).map(line), (LINES + 1..=2 * LINES).map(line));
    first.chain([masked(), masked()]).chain(rest).collect()
}

/// Lines that a step printed.
async fn printed(system: &System, job: JobId, step: &str) -> Vec<String> {
    let lines = system.lines(job).await;
    let of_step = lines.iter().filter(|line| line["stream"] != "engine" && line["step"] == step);
    of_step.map(|line| line["line"].as_str().expect("text").to_owned()).collect()
}

/// Waits until every step stands at its gate.
pub(crate) async fn all_at_the_gate(system: &System, job: JobId, count: usize) {
    wait_for("all steps stand at their gates", async || {
        let lines = system.printed(job).await;
        lines.iter().filter(|line| *line == "the ••••••").count() == count
    })
    .await;
}

/// Each step ran once, with all of its output once and in order.
pub(crate) async fn all_went_well(system: &System, job: JobId, count: usize) {
    let detail = system.ended(job).await;
    assert_eq!(detail.steps.len(), count);
    for step in &detail.steps {
        let shown = serde_json::to_value(step).expect("JSON");
        let summary = (step.attempt, step.status.as_str(), shown["output"].clone());
        assert_eq!(summary, (1, "completed", json!({"n": 2 * LINES})), "{shown:#}");
        let printed = printed(system, job, &step.step_name).await;
        assert!(printed == expected(), "{} of {}: {printed:?}", step.step_name, detail.job_id);
    }
}

fn containers(job: JobId) -> Vec<String> {
    left_of(job).lines().map(str::to_owned).collect()
}

fn open(container: &str) {
    docker(&["exec", container, "touch", "/tmp/gate"]).expect("the container runs");
}

fn has_ended(container: &str) -> bool {
    docker(&["inspect", "--format", "{{.State.Status}}", container]).is_ok_and(|state| state == "exited")
}

/// Opens the gates of one half, and waits until those containers have ended with nobody there.
async fn half_ends(all: &[String]) {
    let (first, _) = all.split_at(all.len() / 2);
    first.iter().for_each(|container| open(container));
    wait_for("one half has ended", async || first.iter().all(|container| has_ended(container))).await;
}

fn open_rest(all: &[String]) {
    all[all.len() / 2..].iter().for_each(|container| open(container));
}

pub(crate) async fn is_adopted(system: &System, job: JobId, times: usize) {
    wait_for("it is taken over", async || {
        let lines = system.lines(job).await;
        lines.iter().filter(|line| takes_over(line)).count() >= times
    })
    .await;
}

fn takes_over(line: &Value) -> bool {
    line["line"].as_str().is_some_and(|text| text.ends_with("takes the running step over"))
}

async fn start(folder: &Path, slots: u32) -> System {
    let mut system = System::without_workers(folder, QUICK).await;
    system.start_worker("w1", &worker(slots)).await;
    system
}

/// A job whose containers all stand at their gates, at a worker `w1`; none where there is no engine.
async fn standing(count: usize, slots: u32) -> Option<Standing> {
    if !is_here() {
        return None;
    }
    let dir = folder(&gated(count, "docker"));
    let system = start(dir.path(), slots).await;
    let job = system.execute("t").await;
    all_at_the_gate(&system, job, count).await;
    let all = containers(job);
    assert_eq!(all.len(), count);
    Some(Standing { system, job, all, _dir: dir })
}

struct Standing {
    system: System,
    job: JobId,
    /// The containers.
    all: Vec<String>,
    _dir: TempDir,
}

#[tokio::test]
async fn system_containers_outlive_a_killed_worker_that_comes_back() {
    let (count, slots) = (10, 10);
    let Some(Standing { mut system, job, all, _dir }) = standing(count, slots).await else { return };
    system.kill_worker("w1");
    half_ends(&all).await;
    system.start_worker("w1", &worker(slots)).await;
    is_adopted(&system, job, count).await;
    open_rest(&all);
    all_went_well(&system, job, count).await;
    assert_eq!(left_of(job), "");
}

#[tokio::test]
async fn system_another_worker_of_the_engine_takes_over_what_a_killed_one_left() {
    let Some(Standing { mut system, job, all, _dir }) = standing(10, 10).await else { return };
    system.kill_worker("w1");
    half_ends(&all).await;
    // Less slots than steps: what runs already needs none.
    system.start_worker("w2", &worker(2)).await;
    is_adopted(&system, job, 10).await;
    open_rest(&all);
    all_went_well(&system, job, 10).await;
    assert_eq!(left_of(job), "");
}

#[tokio::test]
async fn system_a_worker_that_cannot_wait_hands_its_containers_over() {
    if !is_here() {
        return;
    }
    let dir = folder(&gated(2, "docker"));
    let mut system = System::without_workers(dir.path(), "").await;
    system.start_worker("w1", &format!("{}\ndrain_timeout_secs: 1", worker(4))).await;
    let job = system.execute("t").await;
    all_at_the_gate(&system, job, 2).await;
    let all = containers(job);
    system.start_worker("w2", &worker(4)).await;
    assert_eq!(system.drain_worker("w1"), 0);
    is_adopted(&system, job, 2).await;
    all.iter().for_each(|container| open(container));
    all_went_well(&system, job, 2).await;
    assert_eq!(left_of(job), "");
}

#[tokio::test]
async fn system_an_adopter_that_dies_too_is_followed_by_another() {
    let Some(Standing { mut system, job, all, _dir }) = standing(2, 4).await else { return };
    system.kill_worker("w1");
    system.start_worker("w2", &worker(4)).await;
    is_adopted(&system, job, 2).await;
    open(&all[0]);
    wait_for("one of them is through", async || containers(job).len() == 1).await;
    system.kill_worker("w2");
    system.start_worker("w3", &worker(4)).await;
    is_adopted(&system, job, 3).await;
    open(&all[1]);
    all_went_well(&system, job, 2).await;
    assert_eq!(left_of(job), "");
}

#[tokio::test]
async fn system_a_worker_that_was_only_silent_does_not_touch_what_was_taken_over() {
    let Some(Standing { mut system, job, all, _dir }) = standing(2, 4).await else { return };
    system.signal_worker("w1", "STOP");
    system.start_worker("w2", &worker(4)).await;
    is_adopted(&system, job, 2).await;
    system.signal_worker("w1", "CONT");
    let log = system.dir().join("w1.log");
    wait_for("it has heard that its leases are lost", async || {
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        let workers = system.client.workers().await.expect("workers");
        let is_back = workers.iter().any(|worker| worker.name == "w1" && worker.status == "active");
        is_back && log.matches("registered").count() >= 2
    })
    .await;
    assert_eq!(containers(job).len(), 2, "they still run");
    all.iter().for_each(|container| open(container));
    all_went_well(&system, job, 2).await;
    assert_eq!(left_of(job), "");
}

#[tokio::test]
async fn system_a_cancel_in_the_gap_reaches_what_was_taken_over() {
    let Some(Standing { mut system, job, _dir, .. }) = standing(1, 4).await else { return };
    system.kill_worker("w1");
    system.client.cancel(job).await.expect("cancelled");
    system.start_worker("w2", &worker(4)).await;
    assert_eq!(system.ended(job).await.status.as_str(), "cancelled");
    is_adopted(&system, job, 1).await;
    assert_eq!(left_of(job), "");
}

#[tokio::test]
async fn system_the_time_of_a_step_that_was_taken_over_counts_from_its_start() {
    const TIMEOUT: Duration = Duration::from_secs(20);
    if !is_here() {
        return;
    }
    let dir = folder(
        "tasks:\n  t:\n    flow:\n      a: {type: script, runner: docker, timeout: 20s, script: 'echo up; sleep 1000'}\n",
    );
    let mut system = start(dir.path(), 4).await;
    let job = system.execute("t").await;
    wait_for("the script prints", async || !system.printed(job).await.is_empty()).await;
    system.kill_worker("w1");
    system.start_worker("w2", &worker(4)).await;
    let detail = system.ended(job).await;
    let step = &detail.steps[0];
    let shown = serde_json::to_value(step).expect("JSON");
    assert_eq!(shown["outcome"]["cause"], "timed_out", "{shown:#}");
    let (started, ended) = (step.started_at.expect("it started"), step.completed_at.expect("it ended"));
    assert!(ended.since(started) >= TIMEOUT, "{shown:#}");
    let lines = system.lines(job).await;
    let adoption = lines.iter().find(|line| takes_over(line)).expect("it is taken over");
    let adopted: Timestamp = serde_json::from_value(adoption["ts"].clone()).expect("a time");
    // Counted from the adoption it would be the whole time-out.
    assert!(ended.since(adopted) < TIMEOUT, "{shown:#}, taken over at {adopted}");
    let printed = printed(&system, job, "a").await;
    assert_eq!(printed.iter().filter(|line| *line == "up").count(), 1, "{printed:?}");
    assert_eq!(left_of(job), "");
}

/// A container that looks as if a lost attempt had left it.
fn leave(job: &str, attempt: u32) -> String {
    let labels = [format!("dev.stroem.attempt={job}-0-{attempt}"), "dev.stroem.fence=1".to_owned()];
    docker(&["run", "-d", "--label", &labels[0], "--label", &labels[1], IMAGE, "sleep", "1000"])
        .expect("a container")
}

fn is_there(container: &str) -> bool {
    docker(&["inspect", "--format", "{{.Id}}", container]).is_ok()
}

#[tokio::test]
async fn system_a_sweep_removes_what_the_server_calls_dead_and_nothing_else() {
    if !is_here() {
        return;
    }
    let dir = folder("tasks:\n  t:\n    flow:\n      a: {type: script, runner: docker, script: 'true'}\n");
    let mut system = start(dir.path(), 4).await;
    let job = system.execute("t").await;
    assert_eq!(system.ended(job).await.status.as_str(), "completed");
    system.kill_server();
    let dead = leave(&job.to_string(), 1);
    let of_another_server = leave("0190a5c8-0000-7000-8000-000000000001", 1);
    // Two sweeps in vain, and more.
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert!(is_there(&dead), "nothing is removed while the server cannot be asked");
    system.start_server().await;
    wait_for("the leftover is removed", async || !is_there(&dead)).await;
    let was_left_alone = is_there(&of_another_server);
    docker(&["rm", "-f", &of_another_server]).expect("removed");
    assert!(was_left_alone, "this server knows nothing of that job");
}
