//! Which worker takes what.

use crate::harness::{System, folder};

const TAGGED: &str =
    "tasks:\n  t:\n    flow:\n      train: {type: script, script: echo trained, tags: [gpu]}\n";

#[tokio::test]
async fn system_a_step_no_worker_can_take_fails_with_the_exact_text() {
    let dir = folder(TAGGED);
    let mut system = System::without_workers(dir.path(), "recovery: {unmatched_step_timeout_secs: 2}").await;
    system.start_worker("plain", "tags: [script]").await;
    let job = system.execute("t").await;
    let explained = system.client.explain(job, "train").await.expect("explained");
    assert_eq!(explained.workers[0].missing_tags, ["gpu"]);
    let detail = system.ended(job).await;
    assert_eq!(detail.status.as_str(), "failed");
    let error = detail.steps[0].error_message.as_deref();
    assert_eq!(error, Some("No active worker with required tags to run this step"));
}

#[tokio::test]
async fn system_a_worker_that_joins_in_time_takes_the_step() {
    let dir = folder(TAGGED);
    let mut system = System::without_workers(dir.path(), "recovery: {unmatched_step_timeout_secs: 20}").await;
    system.start_worker("plain", "tags: [script]").await;
    let job = system.execute("t").await;
    system.start_worker("gpu", "tags: [script, gpu]").await;
    assert_eq!(system.ended(job).await.status.as_str(), "completed");
}

#[tokio::test]
async fn system_a_draining_worker_finishes_what_runs_and_leaves() {
    let dir = folder("tasks:\n  t:\n    flow:\n      a: {type: script, script: sleep 1; echo done}\n");
    let mut system = System::start(dir.path()).await;
    let job = system.execute("t").await;
    system.step_is(job, "a", "running").await;
    assert_eq!(system.drain_worker("w1"), 0);
    let detail = system.client.job(job).await.expect("a job");
    assert_eq!(detail.status.as_str(), "completed");
    assert_eq!(system.client.workers().await.expect("workers")[0].status, "gone");
}
