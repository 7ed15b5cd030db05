//! kill -9 of servers and workers: nothing is lost, nothing runs twice unnoticed, nothing is left behind.

use crate::harness::{System, alive, folder, noted, wait_for};

fn chain() -> String {
    "tasks:\n  t:\n    flow:\n      a: {type: script, script: sleep 0.5; echo a}\n      b: {type: script, script: echo b, depends_on: [a]}\n      c: {type: script, script: echo c, depends_on: [b]}\n".to_owned()
}

#[tokio::test]
async fn system_a_job_completes_over_a_killed_server() {
    let dir = folder(&chain());
    let mut system = System::start(dir.path()).await;
    let jobs = [system.execute("t").await, system.execute("t").await];
    system.step_is(jobs[0], "a", "running").await;
    system.kill_server();
    // The steps end while nobody listens.
    tokio::time::sleep(std::time::Duration::from_millis(800)).await;
    system.start_server().await;
    for job in jobs {
        let detail = system.ended(job).await;
        assert_eq!(detail.status.as_str(), "completed");
        assert!(detail.steps.iter().all(|step| step.attempt == 1), "{detail:?}");
        assert_eq!(system.printed(job).await, ["a", "b", "c"]);
    }
}

#[tokio::test]
async fn system_twenty_jobs_survive_repeated_server_crashes() {
    let dir = folder(&chain().replace("sleep 0.5", "sleep 0.1"));
    let mut system = System::start(dir.path()).await;
    let mut jobs = Vec::new();
    for _ in 0..20 {
        jobs.push(system.execute("t").await);
    }
    for _ in 0..3 {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        system.kill_server();
        system.start_server().await;
    }
    for job in jobs {
        assert_eq!(system.ended(job).await.status.as_str(), "completed");
        assert_eq!(system.printed(job).await, ["a", "b", "c"]);
    }
}

#[tokio::test]
async fn system_a_killed_workers_processes_die_and_its_step_runs_again() {
    let dir = folder(
        "tasks:\n  t:\n    flow:\n      a:\n        type: script\n        script: |\n          echo $$ >> PIDS\n          setsid sleep 1000 >/dev/null 2>&1 & echo $! >> PIDS\n          test -e AGAIN && exit 0\n          touch AGAIN; sleep 1000\n",
    );
    let list = dir.path().join("pids");
    let again = dir.path().join("again");
    let file = dir.path().join(".workflows/main.yaml");
    let text = std::fs::read_to_string(&file).expect("there");
    let text = text.replace("PIDS", &list.to_string_lossy()).replace("AGAIN", &again.to_string_lossy());
    std::fs::write(&file, text).expect("written");
    let mut system = System::without_workers(dir.path(), "recovery: {heartbeat_timeout_secs: 3}").await;
    system.start_worker("w1", "").await;
    let job = system.execute("t").await;
    wait_for("the step has begun", async || noted(&list).len() == 2 && again.exists()).await;
    system.kill_worker("w1");
    let first = noted(&list);
    wait_for("its processes are gone", async || first.iter().all(|pid| !alive(pid))).await;
    system.start_worker("w2", "").await;
    let detail = system.ended(job).await;
    assert_eq!(detail.status.as_str(), "completed");
    let causes: Vec<_> = detail.steps[0]
        .attempts
        .iter()
        .map(|attempt| attempt.outcome.as_ref().expect("ended")["cause"].clone())
        .collect();
    assert_eq!(causes, ["worker_lost", "succeeded"]);
}

#[tokio::test]
async fn system_a_cancel_during_a_server_restart_still_kills() {
    let dir = folder("tasks:\n  t:\n    flow:\n      a: {type: script, script: echo $$; sleep 1000}\n");
    let mut system = System::start(dir.path()).await;
    let job = system.execute("t").await;
    wait_for("the step has begun", async || !system.printed(job).await.is_empty()).await;
    let pid = system.printed(job).await.remove(0);
    system.client.cancel(job).await.expect("cancelled");
    system.kill_server();
    system.start_server().await;
    assert_eq!(system.ended(job).await.status.as_str(), "cancelled");
    assert!(!alive(&pid));
}
