//! A worker that nobody hears for too long, and that comes back.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{Plan, Proxy};
use crate::harness::{System, alive, folder, noted, wait_for};

#[tokio::test]
async fn system_a_worker_that_was_cut_off_finds_its_lease_lost_and_kills_its_step() {
    let notes = tempfile::tempdir().expect("a directory");
    let list = notes.path().join("pids");
    let dir = folder(&format!(
        "tasks:\n  t:\n    flow:\n      a:\n        type: script\n        script: |\n          \
         echo $$ >> {list}\n          test \"$(wc -l < {list})\" -gt 1 && exit 0\n          sleep 1000\n",
        list = list.display()
    ));
    let mut system = System::without_workers(dir.path(), "recovery: {heartbeat_timeout_secs: 1}").await;
    let (sender, _orders) = mpsc::channel(1);
    let proxy = Proxy::start(&system.address, "w1", &Arc::new(Plan::new(Vec::new(), 0)), sender).await;
    system.configure_worker("w1", &proxy.address, "");
    system.spawn_worker("w1");
    let job = system.execute("t").await;
    wait_for("the step has begun", async || noted(&list).len() == 1).await;
    let late = noted(&list).remove(0);
    proxy.cut_off(true);
    system.start_worker("w2", "").await;
    let detail = system.ended(job).await;
    assert_eq!(detail.status.as_str(), "completed");
    let causes: Vec<_> = detail.steps[0]
        .attempts
        .iter()
        .map(|attempt| attempt.outcome.as_ref().expect("ended")["cause"].clone())
        .collect();
    assert_eq!(causes, ["worker_lost", "succeeded"]);
    assert!(alive(&late), "nobody could tell it");
    proxy.cut_off(false);
    wait_for("the late process is killed", async || !alive(&late)).await;
    let after = system.client.job(job).await.expect("a job");
    assert_eq!(
        (after.version, after.status.as_str()),
        (detail.version, "completed"),
        "the late one changed it"
    );
}
