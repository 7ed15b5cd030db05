//! Counted, not timed: the cost of an event follows what it changes, never the size of the job.

use serde_json::json;
use stroem_core::{JobStatus, StepStatus};
use stroem_engine::{Applied, Event};

use super::support::{at, chain, claim_scripts, commit, create, fan, succeeded, whole};
use crate::Store;

/// The same event reads as many rows in a chain of ten steps as in one of ten thousand.
pub async fn rows_read_do_not_grow_with_the_job(store: &dyn Store) {
    let mut counted = Vec::new();
    for (number, length) in [(1, 10), (2, 10_000)] {
        let job = create(store, number, chain(length)).await;
        let mut reads = Vec::new();
        for step in 0..5_i64 {
            let lease = claim_scripts(store, 1, 1, at(10 + step)).await[0];
            assert_eq!(lease.attempt.job, job.id());
            let started = Event::AttemptStarted { lease, at: at(10) };
            reads.push(commit(store, &job, vec![started], at(10)).await.rows_read);
            reads.push(
                commit(store, &job, vec![succeeded(lease, Some(json!(step)))], at(10 + step)).await.rows_read,
            );
        }
        let cancel = commit(store, &job, vec![Event::CancelRequested], at(90)).await;
        assert_eq!(cancel.rows_read, u64::from(length) - 5 + 1, "a cancel reads the open steps");
        counted.push(reads);
    }
    assert_eq!(counted[0], counted[1]);
    assert!(counted[0].iter().all(|rows| *rows <= 6), "{counted:?}");
}

/// The largest job there may be is one commit, and comes back whole.
pub async fn ten_thousand_steps_are_created_at_once(store: &dyn Store) {
    let job = create(store, 1, fan(10_000)).await;
    let detail = whole(store, &job, &[]).await;
    assert_eq!(detail.steps.len(), 10_000);
    assert!(detail.steps.iter().all(|step| step.row.status == StepStatus::Ready));
    assert_eq!(store.counts().await.expect("counts").ready_steps, 10_000);
    let leases = claim_scripts(store, 1, 8, at(2)).await;
    let steps: Vec<u32> = leases.iter().map(|lease| lease.attempt.step).collect();
    assert_eq!(steps, (0..8).collect::<Vec<_>>());
}

/// A hundred steps that end together are one batch, one answer each.
pub async fn a_hundred_ends_fit_in_one_batch(store: &dyn Store) {
    let job = create(store, 1, fan(100)).await;
    let leases = claim_scripts(store, 1, 100, at(2)).await;
    let ends = leases.iter().map(|lease| succeeded(*lease, Some(json!(lease.attempt.step)))).collect();
    let committed = commit(store, &job, ends, at(3)).await;
    assert_eq!(committed.result.answers, vec![Ok(Applied::Changed); 100]);
    let detail = whole(store, &job, &[1]).await;
    assert_eq!(detail.job.status, JobStatus::Completed);
    assert!((0..).zip(&detail.steps).all(|(index, step): (u32, _)| step.output == Some(json!(index))));
}
