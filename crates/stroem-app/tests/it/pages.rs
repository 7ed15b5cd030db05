//! What pages are told: hints of changes, what waits and why, what happened lately, and a worker that drains.

use std::time::Duration;

use stroem_app::{AppError, Change};
use stroem_core::JobStatus;

use crate::fixture::{CHAIN, Fixture};

#[tokio::test]
async fn every_change_of_a_job_is_hinted_with_its_version() {
    let fixture = Fixture::new(CHAIN, |_| ()).await;
    let worker = fixture.worker(1, Vec::new()).await;
    let mut watch = fixture.app.watch_changes();
    let start = watch.now();
    let job = fixture.execute().await;
    for _ in 0..2 {
        let lease = fixture.claim(&worker).await;
        fixture.end(&worker, lease).await;
    }
    let changes = watch.since(start).changes.expect("remembered");
    let hinted = changes.iter().filter_map(|change| match change {
        Change::Job { job: hinted, status, version } if *hinted == job => Some((*status, *version)),
        _ => None,
    });
    let hinted: Vec<(JobStatus, i64)> = hinted.collect();
    let version = fixture.app.job(job).await.expect("a job").detail.job.version;
    assert_eq!(hinted.last(), Some(&(JobStatus::Completed, version)));
    assert!(hinted.contains(&(JobStatus::Running, hinted[0].1 + 1)), "the claim is hinted: {hinted:?}");
    assert!(hinted.is_sorted_by_key(|(_, version)| *version), "{hinted:?}");
}

#[tokio::test]
async fn a_draining_worker_takes_nothing_until_it_registers_again() {
    let fixture = Fixture::new(CHAIN, |_| ()).await;
    let worker = fixture.worker(1, Vec::new()).await;
    fixture.app.drain("w", true).await.expect("it is connected");
    fixture.execute().await;
    assert!(fixture.poll(&worker, Vec::new(), 4).await.claims.is_empty());
    let waiting = fixture.app.waiting().await.expect("readable");
    assert_eq!(waiting.len(), 1);
    assert!(!waiting[0].has_worker && waiting[0].summary.contains("drains"), "{:?}", waiting[0]);
    let worker = fixture.worker(1, Vec::new()).await;
    fixture.claim(&worker).await;
    assert!(matches!(fixture.app.drain("nobody", true).await, Err(AppError::NoSuchWorker)));
}

#[tokio::test]
async fn a_step_that_nobody_can_take_names_what_is_missing() {
    let workflow = "tasks:\n  t:\n    flow:\n      a: {type: script, script: 'true', tags: [gpu]}\n";
    let fixture = Fixture::new(workflow, |_| ()).await;
    fixture.execute().await;
    assert_eq!(fixture.app.waiting().await.expect("readable")[0].summary, "no worker is connected");
    fixture.worker(1, Vec::new()).await;
    assert_eq!(fixture.app.waiting().await.expect("readable")[0].summary, "w lacks gpu");
}

#[tokio::test]
async fn ended_jobs_are_in_the_history_of_their_task_and_in_the_activity() {
    let fixture = Fixture::new(CHAIN, |_| ()).await;
    let worker = fixture.worker(1, Vec::new()).await;
    for _ in 0..3 {
        fixture.execute().await;
        for _ in 0..2 {
            let lease = fixture.claim(&worker).await;
            fixture.end(&worker, lease).await;
        }
    }
    fixture.execute().await;
    let history = fixture.app.task_history("default", "t").await.expect("readable");
    assert_eq!((history.total, history.runs.len()), (4, 4));
    assert!(history.runs[0].duration.is_none(), "the newest one has not begun");
    assert!(history.p50 <= history.p95 && history.p50.is_some());
    let activity = fixture.app.activity(Duration::from_secs(3_600)).await.expect("readable");
    assert_eq!(activity.buckets.len(), 60);
    assert_eq!(activity.buckets.iter().map(|bucket| bucket.completed).sum::<u64>(), 3);
    assert!(activity.buckets.iter().any(|bucket| bucket.queue_p95.is_some()) && !activity.cut);
}
