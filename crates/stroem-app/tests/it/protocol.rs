//! Claims, leases and reports: lost replies, repeated reports, stale fences, workers that come back.

use std::time::Duration;

use stroem_app::{AppError, RegisterWish, Verdict};
use stroem_core::{InstanceId, TagSet};

use crate::fixture::{CHAIN, Fixture};

#[tokio::test]
async fn a_claim_whose_reply_was_lost_is_sent_again() {
    let fixture = Fixture::new(CHAIN, |_| ()).await;
    let worker = fixture.worker(1, Vec::new()).await;
    fixture.execute().await;
    let lost = fixture.claim(&worker).await;
    assert_eq!(fixture.claim(&worker).await, lost, "the worker does not hold it, so it hears of it again");
    assert!(
        fixture.poll(&worker, vec![lost], 3).await.claims.is_empty(),
        "and not once more when it holds it"
    );
}

#[tokio::test]
async fn a_repeated_report_is_taken_once_and_answered_every_time() {
    let fixture = Fixture::new(CHAIN, |_| ()).await;
    let worker = fixture.worker(1, Vec::new()).await;
    fixture.execute().await;
    let first = fixture.claim(&worker).await;
    assert_eq!(fixture.end(&worker, first).await, Verdict::Applied);
    assert_eq!(fixture.end(&worker, first).await, Verdict::Applied);
    let second = fixture.claim(&worker).await;
    assert_eq!((second.attempt.step, second.attempt.attempt.0), (1, 1));
}

#[tokio::test]
async fn a_report_of_a_lost_lease_is_refused_by_its_fence() {
    let fixture = Fixture::new(CHAIN, |_| ()).await;
    let worker = fixture.worker(1, Vec::new()).await;
    let job = fixture.execute().await;
    let old = fixture.claim(&worker).await;
    // The same process registers again and does not name the lease: the attempt is lost and queued again.
    let worker = fixture.worker(1, Vec::new()).await;
    let new = fixture.claim(&worker).await;
    assert_eq!(new.attempt.attempt.0, 2);
    assert_eq!(fixture.end(&worker, old).await, Verdict::LeaseLost);
    assert_eq!(fixture.poll(&worker, vec![old, new], 0).await.lost, [old]);
    assert_eq!(fixture.end(&worker, new).await, Verdict::Applied);
    let view = fixture.app.job(job).await.expect("a job");
    assert_eq!(view.detail.steps[0].row.status.as_str(), "completed");
}

#[tokio::test]
async fn a_surviving_lease_goes_on_after_a_registration() {
    let fixture = Fixture::new(CHAIN, |_| ()).await;
    let worker = fixture.worker(1, Vec::new()).await;
    fixture.execute().await;
    let lease = fixture.claim(&worker).await;
    let worker = fixture.worker(1, vec![lease]).await;
    assert_eq!(fixture.end(&worker, lease).await, Verdict::Applied);
}

#[tokio::test]
async fn a_second_live_instance_of_a_name_is_refused() {
    let fixture = Fixture::new(CHAIN, |_| ()).await;
    fixture.worker(1, Vec::new()).await;
    let wish = RegisterWish {
        name: "w".parse().expect("a name"),
        instance: InstanceId::from_bytes([2; 16]),
        tags: TagSet::default(),
        withdrawn: Vec::new(),
        exclusive: false,
        capacity: 1,
        version: "test".to_owned(),
        surviving: Vec::new(),
    };
    let refused = fixture.app.register("token", wish.clone()).await;
    assert!(matches!(refused, Err(AppError::WorkerNameTaken(_))), "{refused:?}");
    let refused = fixture.app.register("guess", wish).await;
    assert!(matches!(refused, Err(AppError::BadWorkerToken)), "{refused:?}");
}

#[tokio::test]
async fn a_silent_worker_is_judged_lost_and_its_step_queued_again() {
    let fixture = Fixture::new(CHAIN, |options| {
        options.heartbeat_timeout = Duration::from_millis(300);
        options.sweep_interval = Duration::from_millis(20);
    })
    .await;
    let worker = fixture.worker(1, Vec::new()).await;
    let job = fixture.execute().await;
    fixture.claim(&worker).await;
    let mut watch = fixture.app.watch_job(job);
    loop {
        let view = fixture.app.job(job).await.expect("a job");
        if view.detail.steps[0].row.status.as_str() == "ready" {
            assert_eq!(view.detail.steps[0].row.requeues, 1);
            break;
        }
        tokio::time::timeout(Duration::from_secs(10), watch.changed()).await.expect("judged within 10 s");
    }
}

#[tokio::test]
async fn a_hundred_steps_that_end_at_once_cost_few_commits() {
    let mut workflow = "tasks:\n  t:\n    flow:\n".to_owned();
    for index in 0..100 {
        workflow += &format!("      s{index}: {{type: script, script: 'true'}}\n");
    }
    let fixture = Fixture::new(&workflow, |_| ()).await;
    let worker = fixture.worker(1, Vec::new()).await;
    let job = fixture.execute().await;
    let claims = fixture.poll(&worker, Vec::new(), 100).await.claims;
    assert_eq!(claims.len(), 100);
    let before = fixture.store.statistics().commits;
    let ends = claims.iter().map(|claim| fixture.end(&worker, claim.lease));
    let verdicts = futures_util::future::join_all(ends).await;
    assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Applied));
    let commits = fixture.store.statistics().commits - before;
    assert!(commits <= 20, "{commits} commits");
    assert_eq!(fixture.app.job(job).await.expect("a job").status().as_str(), "completed");
}
