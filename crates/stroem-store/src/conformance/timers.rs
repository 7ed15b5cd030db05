//! Timers.

use stroem_core::HumanDuration;
use stroem_engine::{Event, TimerKind};

use super::support::{StepShape, after, at, claim_scripts, commit, create, plan, succeeded};
use crate::Store;

fn timed(seconds: u64) -> stroem_workflow::Plan {
    let step = StepShape { timeout: Some(HumanDuration::from_secs(5)), ..after(&[]) };
    let mut plan = plan("timed", &[step, after(&[0])]);
    plan.timeout = Some(HumanDuration::from_secs(seconds));
    plan
}

/// Earliest first, only what is due, at most as many as asked for.
pub async fn timers_come_due_in_order(store: &dyn Store) {
    assert_eq!(store.next_timer().await.expect("reads"), None);
    let slow = create(store, 1, timed(600)).await;
    let quick = create(store, 2, timed(60)).await;
    let due = |millis: i64, limit| async move {
        let timers = store.due_timers(at(millis), limit).await.expect("reads");
        timers.into_iter().map(|timer| timer.key.job).collect::<Vec<_>>()
    };
    assert_eq!(store.next_timer().await.expect("reads"), Some(at(60_002)));
    assert_eq!(due(60_001, 9).await, []);
    assert_eq!(due(60_002, 9).await, [quick.id()]);
    assert_eq!(due(600_001, 9).await, [quick.id(), slow.id()]);
    assert_eq!(due(600_001, 1).await, [quick.id()]);
    commit(store, &quick, vec![Event::JobDeadline], at(60_002)).await;
    assert_eq!(store.next_timer().await.expect("reads"), Some(at(600_001)), "a timer that fired is gone");
}

/// The backstop of an attempt goes with the attempt, the time-out of a job with the job.
pub async fn a_job_that_ends_takes_its_timers(store: &dyn Store) {
    let job = create(store, 1, timed(600)).await;
    let lease = claim_scripts(store, 1, 1, at(2)).await[0];
    commit(store, &job, vec![Event::AttemptStarted { lease, at: at(3) }], at(3)).await;
    let timers = store.due_timers(at(10_000_000), 9).await.expect("reads");
    let kinds: Vec<_> = timers.iter().map(|timer| timer.key.kind).collect();
    assert_eq!(kinds, [TimerKind::AttemptDeadline, TimerKind::JobDeadline]);
    assert_eq!((timers[0].key.fence, timers[0].key.attempt), (lease.fence, lease.attempt.attempt));
    commit(store, &job, vec![succeeded(lease, None)], at(4)).await;
    let timers = store.due_timers(at(10_000_000), 9).await.expect("reads");
    assert_eq!(timers.iter().map(|timer| timer.key.kind).collect::<Vec<_>>(), [TimerKind::JobDeadline]);
    let lease = claim_scripts(store, 1, 1, at(5)).await[0];
    commit(store, &job, vec![succeeded(lease, None)], at(6)).await;
    assert_eq!(store.next_timer().await.expect("reads"), None);
}
