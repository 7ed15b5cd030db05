//! Much of everything: lines, bytes, steps. Short by themselves, of the demands' sizes in `cargo xtask proof`.

use std::{fmt::Write as _, path::Path, time::Duration};

use serde_json::Value;
use stroem_core::JobId;

use crate::{
    harness::{System, folder, wait_for},
    size::{self, sized},
};

/// What a process may grow by, whatever passes through it.
const GROWTH_KIB: u64 = 64 << 10;

/// The most memory that a process had resident, in KiB.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("alive");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

/// Peaks of a system's server and of its worker `w1`.
struct Peaks {
    server: u64,
    worker: u64,
}

impl Peaks {
    /// After a job that used every part once.
    async fn warm(system: &System) -> Self {
        let job = system.execute("warm").await;
        assert_eq!(system.ended(job).await.status.as_str(), "completed");
        assert_eq!(system.printed(job).await.len(), 1_000);
        Self::now(system)
    }

    fn now(system: &System) -> Self {
        Self { server: peak_kib(system.server_pid()), worker: peak_kib(system.worker_pid("w1")) }
    }

    /// Says and limits what they grew by.
    fn check(&self, system: &System, what: &str) {
        let now = Self::now(system);
        size::say(&format!(
            "{what}: server {} -> {} KiB, worker {} -> {} KiB at most resident",
            self.server, now.server, self.worker, now.worker
        ));
        assert!(now.server - self.server < GROWTH_KIB, "the server's memory grew");
        assert!(now.worker - self.worker < GROWTH_KIB, "the worker's memory grew");
    }
}

/// Tasks `warm` and `t`, of one step each.
fn workflow(script: &str) -> String {
    let script = script.replace('\n', "\n          ");
    format!(
        "tasks:\n  warm:\n    flow:\n      a: {{type: script, script: seq 1000}}\n  \
         t:\n    flow:\n      a:\n        type: script\n        script: |\n          {script}\n"
    )
}

/// A script that prints numbered lines of 1,000 bytes that do not compress well.
fn flood(lines: u64) -> String {
    let bytes = lines * 741;
    format!("head -c {bytes} /dev/urandom | base64 -w 988 | awk '{{ printf \"%010d %s\\n\", NR, $0 }}'")
}

/// The number at the beginning of a line.
fn number(line: &Value) -> u64 {
    let text = line["line"].as_str().expect("text");
    text.split_once(' ').and_then(|(number, _)| number.parse().ok()).expect("a number")
}

/// Every number from 1 on is there once and in order; how many there are.
async fn count_in_order(system: &System, job: JobId) -> u64 {
    let mut count = 0;
    system
        .each_line(job, |line| {
            if line["stream"] != "engine" {
                count += 1;
                assert_eq!(number(&line), count, "missing, doubled or out of order");
            }
        })
        .await;
    count
}

#[tokio::test]
async fn proof_lines_survive_an_outage_complete_in_order_once() {
    let (lines, outage) = (sized(20_000, 1_000_000), Duration::from_secs(sized(3, 120)));
    let signs = tempfile::tempdir().expect("a directory");
    let sign = |name: &str| signs.path().join(name);
    let print = |from: u64, to: u64| {
        format!(
            "awk 'BEGIN {{ for (i = {from}; i <= {to}; i++) printf \"%010d some words of a line\\n\", i }}'"
        )
    };
    let wait = |name: &str| format!("until test -e {}; do sleep 0.05; done", sign(name).display());
    let script = [
        print(1, lines / 10),
        wait("down"),
        print(lines / 10 + 1, lines / 10 * 9),
        format!("touch {}", sign("said").display()),
        wait("up"),
        print(lines / 10 * 9 + 1, lines),
    ];
    let dir = folder(&workflow(&script.join("\n")));
    let mut system = System::start(dir.path()).await;
    let peaks = Peaks::warm(&system).await;
    let job = system.execute("t").await;
    wait_for("the first lines are there", async || !system.printed(job).await.is_empty()).await;
    system.kill_server();
    touch(&sign("down"));
    wait_for("most lines are said", async || sign("said").exists()).await;
    // The outage's length is what is tested.
    tokio::time::sleep(outage).await;
    system.start_server().await;
    touch(&sign("up"));
    let detail = system.ended_within(job, Duration::from_secs(600)).await;
    assert_eq!((detail.status.as_str(), detail.steps[0].attempt), ("completed", 1));
    assert_eq!(count_in_order(&system, job).await, lines);
    peaks.check(&system, &format!("{lines} lines, {} s without a server", outage.as_secs()));
}

fn touch(file: &Path) {
    std::fs::write(file, "").expect("written");
}

#[tokio::test]
async fn proof_memory_stays_flat_while_a_step_prints_a_gigabyte() {
    // Just below the limit of a step's log, 1 GiB.
    let lines = sized(32_000, 1_050_000);
    let dir = folder(&workflow(&flood(lines)));
    let system = System::start(dir.path()).await;
    let peaks = Peaks::warm(&system).await;
    let job = system.execute("t").await;
    let detail = system.ended_within(job, Duration::from_secs(1_200)).await;
    assert_eq!(detail.status.as_str(), "completed", "{detail:?}");
    peaks.check(&system, &format!("{} MB printed", lines / 1_000));
    assert_eq!(count_in_order(&system, job).await, lines);
    peaks.check(&system, "and read");
    if size::is_full() {
        let logs = system.dir().join("server");
        wait_for("the log is sealed", async || {
            let pattern = format!("*{job}*");
            let found = std::process::Command::new("find").arg(&logs).args(["-path", &pattern]).output();
            let found = found.expect("find");
            !found.stdout.is_empty()
        })
        .await;
        assert_eq!(count_in_order(&system, job).await, lines);
        peaks.check(&system, "and sealed and read again");
    }
}

#[tokio::test]
async fn proof_a_log_over_its_limit_keeps_head_and_tail_and_says_what_is_cut() {
    let lines = sized(16_000, 1_300_000);
    let dir = folder(&workflow(&flood(lines)));
    let mut system = System::without_workers(dir.path(), "").await;
    system.start_worker("w1", sized("limits: {log: 4Mi}", "")).await;
    let limit: u64 = sized(4 << 20, 1 << 30);
    let peaks = Peaks::warm(&system).await;
    let job = system.execute("t").await;
    let detail = system.ended_within(job, Duration::from_secs(1_200)).await;
    assert_eq!(detail.status.as_str(), "completed", "{detail:?}");
    let (mut last, mut kept, mut cut, mut gap) = (0, 0, 0, 0);
    system
        .each_line(job, |line| {
            if line["stream"] != "engine" {
                let number = number(&line);
                assert!(number == last + 1 || gap == last, "a gap without a word at {last}..{number}");
                (last, kept) = (number, kept + 1);
            } else if let Some(text) = line["line"].as_str().filter(|text| text.contains("cut here")) {
                let (_, after) = text.split_once("reached: ").expect("a count");
                cut +=
                    after.split_once(' ').and_then(|(count, _)| count.parse::<u64>().ok()).expect("a number");
                gap = last;
            }
        })
        .await;
    size::say(&format!("{kept} lines kept, {cut} cut after line {gap}"));
    assert_eq!((last, kept + cut), (lines, lines));
    let kept_bytes = kept * 1_000;
    assert!((limit / 10 * 9..=limit).contains(&kept_bytes), "{kept_bytes} of {limit}");
    assert!((limit / 10 * 4..=limit / 10 * 6).contains(&(gap * 1_000)), "not in the middle: {gap}");
    peaks.check(&system, &format!("{} MB printed", lines / 1_000));
}

#[tokio::test]
async fn proof_ten_thousand_steps_run_in_one_job() {
    let (steps, width) = (sized(300, 10_000), sized(30, 100));
    let mut text = workflow("true");
    text.push_str("  wide:\n    flow:\n");
    for step in 0..steps {
        let needs = if step < width { String::new() } else { format!(", depends_on: [s{}]", step - width) };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "      s{step}: {{type: script, script: 'true'{needs}}}");
    }
    let dir = folder(&text);
    let system = System::start(dir.path()).await;
    let peaks = Peaks::warm(&system).await;
    let job = system.execute("wide").await;
    let detail = system.ended_within(job, Duration::from_secs(1_200)).await;
    assert_eq!(detail.status.as_str(), "completed");
    assert_eq!(detail.steps.len(), steps);
    assert!(detail.steps.iter().all(|step| step.status.as_str() == "completed" && step.attempt == 1));
    let took = |at: stroem_core::Timestamp| at.as_micros() / 1_000;
    let (start, end) = (took(detail.created_at), took(detail.completed_at.expect("ended")));
    peaks.check(&system, &format!("{steps} steps in {} ms", end - start));
}
