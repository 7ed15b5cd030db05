//! The processes of a step, however they hide.

use std::time::Duration;

use stroem_core::{Language, Outcome};
use stroem_runner::{Runner, StopReason};
use stroem_runner_local::{LocalRunner, LocalRunnerOptions};

use crate::support::{Local, alive, marked, path, request, wait_until};

fn pids(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| line.strip_prefix("pid ")).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_process_that_cleared_its_environment_and_left_its_session_is_killed_too() {
    let local = Local::new();
    let text = "env -i setsid sleep 1000 >/dev/null 2>&1 & sleep 0.1\n\
                for p in $(pgrep -x sleep -P $$ || true); do echo pid $p; done; echo done";
    let ran = local.run(request(1, local.path("a"), Language::Shell, text)).await;
    assert_eq!(ran.outcome, Outcome::Succeeded);
    let pids = pids(&ran.stdout);
    assert_eq!(pids.len(), 1, "{ran:?}");
    assert!(pids.iter().all(|pid| !alive(pid)), "{ran:?}");
    assert!(ran.notes.iter().any(|note| note.contains("sleep 1000")), "{ran:?}");
}

#[tokio::test]
async fn cancel_is_quick_for_processes_that_obey() {
    let local = Local::new();
    let mut took = Vec::new();
    for number in 0..9 {
        let text = "sleep 1000 & setsid sleep 1000 & sleep 1000";
        let (stop, stopping) = tokio::sync::watch::channel(None);
        let wanted = request(number, local.path("a"), Language::Shell, text);
        let marker = wanted.marker();
        let cancel = async {
            wait_until("all run", || marked(&marker).len() == 4).await;
            #[expect(clippy::disallowed_methods, reason = "the test measures how long a stop takes")]
            let now = std::time::Instant::now();
            stop.send_replace(Some(StopReason::Cancelled));
            now
        };
        let (ran, stopped_at) = tokio::join!(local.run_until(wanted, stopping), cancel);
        took.push(stopped_at.elapsed());
        assert_eq!(ran.outcome, Outcome::Cancelled);
        assert_eq!(marked(&marker), Vec::<String>::new());
    }
    took.sort_unstable();
    assert!(took[4] < Duration::from_millis(100), "{took:?}");
}

#[tokio::test]
async fn what_a_command_starts_to_clean_up_on_term_is_left_in_peace() {
    let local = Local::new();
    let text = "trap 'sleep 0.2; echo cleaned; exit' TERM; echo go; while true; do sleep 0.02; done";
    let (stop, stopping) = tokio::sync::watch::channel(None);
    let wanted = request(1, local.path("a"), Language::Shell, text);
    let marker = wanted.marker();
    let cancel = async {
        wait_until("it runs", || marked(&marker).len() == 2).await;
        stop.send_replace(Some(StopReason::Cancelled));
    };
    let (ran, ()) = tokio::join!(local.run_until(wanted, stopping), cancel);
    assert!(ran.stdout.ends_with("cleaned\n"), "{ran:?}");
}

#[tokio::test]
async fn no_zombie_is_left_and_nobody_elses_child_is_reaped() {
    let local = Local::new();
    // Ends while the step runs, as an orphan of this process.
    let text = "(setsid sh -c 'sleep 0.05' &) ; sleep 1.5; echo done";
    let mut other = std::process::Command::new("sh").args(["-c", "exit 7"]).spawn().expect("a child");
    let ran = local.run(request(1, local.path("a"), Language::Shell, text)).await;
    assert_eq!((ran.outcome, ran.stdout.as_str()), (Outcome::Succeeded, "done\n"));
    assert_eq!(other.wait().expect("still ours").code(), Some(7));
    let own = std::process::id().to_string();
    let zombies: Vec<_> = std::fs::read_dir("/proc")
        .expect("Linux")
        .flatten()
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok())
        .filter(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(&format!("Z {own} "))))
        .collect();
    assert_eq!(zombies, Vec::<String>::new());
}

#[tokio::test]
async fn a_dropped_run_kills_its_processes() {
    let local = Local::new();
    let wanted = request(1, local.path("a"), Language::Shell, "setsid sleep 1000 & trap '' TERM; sleep 1000");
    let (marker, scratch, key) = (wanted.marker(), wanted.scratch.clone(), wanted.lease.attempt);
    {
        let (_stop, stopping) = tokio::sync::watch::channel(None);
        let run = local.run_until(wanted, stopping);
        tokio::select! {
            _ = run => unreachable!("it sleeps"),
            () = wait_until("all run", || marked(&marker).len() == 3) => {}
        }
    }
    wait_until("all are gone", || marked(&marker).is_empty()).await;
    local.runner.cleanup(key, &scratch).await;
    assert!(!scratch.exists());
}

#[tokio::test]
async fn cleanup_kills_what_a_crashed_worker_left_of_that_attempt_only() {
    let local = Local::new();
    let leave = |number: u8| {
        let wanted = request(number, local.path("root/attempt"), Language::Shell, "");
        let child = std::process::Command::new("setsid")
            .args(["sleep", "1000"])
            .env("STROEM_ATTEMPT", wanted.marker())
            .spawn()
            .expect("a process");
        std::fs::create_dir_all(&wanted.scratch).expect("made");
        (wanted, child)
    };
    let (cleaned, mut second) = leave(2);
    let (neighbour, mut third) = leave(3);
    let clean = local.runner.cleanup(cleaned.lease.attempt, &cleaned.scratch);
    let wait = tokio::task::spawn_blocking(move || second.wait());
    let ((), waited) = tokio::join!(clean, wait);
    waited.expect("no panic").expect("a child");
    assert!(!cleaned.scratch.exists());
    assert!(
        alive(&third.id().to_string()),
        "cleanup of one attempt does not touch another: {}",
        neighbour.marker()
    );
    third.kill().and_then(|()| third.wait()).expect("a child");
}

#[tokio::test]
async fn the_thread_that_spawns_outlives_idle_pools() {
    // The parent-death signal follows the thread: a step started by a pool's thread would die with that thread.
    let options = LocalRunnerOptions { path: path(), lang: "C".to_owned(), keeper: None };
    let local = Local::new();
    let runner = LocalRunner::new(options).expect("a runner");
    let (_stop, stopping) = tokio::sync::watch::channel(None);
    let (events, _inbox) = tokio::sync::mpsc::channel(64);
    let wanted =
        request(1, local.path("a"), Language::Shell, "grep -q stroem /proc/$PPID/task/*/comm && sleep 0.3");
    assert_eq!(runner.run(wanted, events, stopping).await, Outcome::Succeeded);
}
