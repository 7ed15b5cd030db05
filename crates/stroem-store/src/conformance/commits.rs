//! Commits: what the engine answers is what the store holds afterwards, all of it or nothing.

use std::sync::Arc;

use serde_json::json;
use stroem_core::{Exit, HumanDuration, JobStatus, Outcome, StepStatus};
use stroem_engine::{Applied, Batch, Effect, Event, IllegalEvent, JobStop, StopReason};

use super::support::{
    StepShape, after, at, chain, claim_scripts, commit, create, fan, plan, succeeded, whole, worker_id,
};
use crate::Store;

/// A chain of three from its first claim to its end, with outputs that flow along it.
pub async fn a_chain_runs_from_claim_to_the_end(store: &dyn Store) {
    let job = create(store, 1, chain(3)).await;
    for step in 0..3_u32 {
        let now = i64::from(step) * 10 + 10;
        let leases = claim_scripts(store, 1, 5, at(now)).await;
        assert_eq!(leases.iter().map(|lease| lease.attempt.step).collect::<Vec<_>>(), [step]);
        let started = Event::AttemptStarted { lease: leases[0], at: at(now + 1) };
        let ended = succeeded(leases[0], Some(json!({ "value": step })));
        let committed = commit(store, &job, vec![started, ended], at(now + 2)).await;
        assert_eq!(committed.result.answers, [Ok(Applied::Changed), Ok(Applied::Changed)]);
        let detail = whole(store, &job, &[1]).await;
        let view = &detail.steps[step as usize];
        assert_eq!(view.output, Some(json!({ "value": step })));
        assert_eq!(view.attempts.len(), 1);
        let attempt = &view.attempts[0];
        assert_eq!((attempt.fence, attempt.worker), (leases[0].fence, worker_id(1)));
        assert_eq!((attempt.claimed_at, attempt.started_at), (at(now), Some(at(now + 1))));
        assert_eq!((attempt.ended_at, &attempt.outcome), (Some(at(now + 2)), &Some(Outcome::Succeeded)));
    }
    let detail = whole(store, &job, &[1]).await;
    let given = detail.steps[2].input.as_ref().expect("the last step has an input");
    assert_eq!(given["from_1"], json!({ "value": 1 }));
    assert_eq!(detail.job.status, JobStatus::Completed);
    assert_eq!((detail.job.started_at, detail.job.completed_at), (Some(at(10)), Some(at(32))));
}

/// The report of an older lease changes nothing, and its sender is told.
pub async fn a_stale_lease_is_refused_and_writes_nothing(store: &dyn Store) {
    let job = create(store, 1, chain(2)).await;
    let old = claim_scripts(store, 1, 1, at(2)).await[0];
    let lost = Event::AttemptEnded { lease: old, outcome: Outcome::WorkerLost, output: None };
    commit(store, &job, vec![lost], at(3)).await;
    let new = claim_scripts(store, 2, 1, at(4)).await[0];
    assert!(new.fence > old.fence);
    let before = whole(store, &job, &[1, 2]).await;
    let late = [
        Event::AttemptStarted { lease: old, at: at(5) },
        succeeded(old, Some(json!("late"))),
        Event::HandedBack { lease: old },
    ];
    let committed = commit(store, &job, late.to_vec(), at(5)).await;
    let refused = Err(IllegalEvent::LeaseLost { status: StepStatus::Running });
    assert_eq!(committed.result.answers, [refused.clone(), refused.clone(), refused]);
    assert!(committed.result.changes.is_empty());
    assert_eq!(whole(store, &job, &[1, 2]).await, before);
}

/// Events that were applied before, or came too late to matter, leave the version and everything else alone.
pub async fn a_batch_that_changes_nothing_writes_nothing(store: &dyn Store) {
    let job = create(store, 1, chain(2)).await;
    let lease = claim_scripts(store, 1, 1, at(2)).await[0];
    let report = vec![succeeded(lease, Some(json!(1)))];
    commit(store, &job, report.clone(), at(3)).await;
    let before = whole(store, &job, &[1]).await;
    let again = commit(store, &job, report, at(4)).await;
    assert_eq!(again.result.answers, [Ok(Applied::AlreadyApplied)]);
    assert_eq!(whole(store, &job, &[1]).await, before);
    let nothing = store.commit(job.id(), Batch::new(Arc::clone(&job.plan), Vec::new(), at(5))).await;
    assert_eq!(nothing.expect("commits").result.answers, []);
    assert_eq!(whole(store, &job, &[1]).await, before);
}

/// A claim that was given back before it began is not counted; the attempt's number is used again.
pub async fn a_step_handed_back_leaves_no_attempt(store: &dyn Store) {
    let job = create(store, 1, chain(1)).await;
    let first = claim_scripts(store, 1, 1, at(2)).await[0];
    let committed = commit(store, &job, vec![Event::HandedBack { lease: first }], at(3)).await;
    assert!(committed.result.effects.iter().any(|effect| matches!(effect, Effect::Ready { .. })));
    let detail = whole(store, &job, &[1]).await;
    assert_eq!(detail.steps[0].attempts, []);
    assert_eq!(store.leases(worker_id(1)).await.expect("reads"), []);
    assert!(!store.is_attempt_of(first).await.expect("reads"));
    let second = claim_scripts(store, 2, 1, at(4)).await[0];
    assert_eq!(second.attempt, first.attempt);
    assert!(second.fence > first.fence);
}

/// Attempts that the platform lost stay visible, each with its outcome.
pub async fn every_attempt_of_a_requeued_step_is_kept(store: &dyn Store) {
    let job = create(store, 1, chain(1)).await;
    for attempt in 0..2 {
        let lease = claim_scripts(store, 1, 1, at(attempt * 10 + 2)).await[0];
        let lost = Event::AttemptEnded { lease, outcome: Outcome::WorkerLost, output: None };
        commit(store, &job, vec![lost], at(attempt * 10 + 3)).await;
    }
    let lease = claim_scripts(store, 1, 1, at(30)).await[0];
    let failed = Outcome::Failed { exit: Exit::Signal(11) };
    commit(store, &job, vec![Event::AttemptEnded { lease, outcome: failed.clone(), output: None }], at(31))
        .await;
    let detail = whole(store, &job, &[1]).await;
    let attempts = &detail.steps[0].attempts;
    let outcomes: Vec<_> = attempts.iter().map(|attempt| attempt.outcome.clone().expect("ended")).collect();
    assert_eq!(outcomes, [Outcome::WorkerLost, Outcome::WorkerLost, failed]);
    assert_eq!(attempts.iter().map(|attempt| attempt.attempt.0).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(attempts.is_sorted_by_key(|attempt| attempt.fence));
    assert_eq!((detail.steps[0].row.requeues, detail.job.status), (2, JobStatus::Failed));
}

/// A cancel takes queued steps away at once and marks leases; the job ends with its last lease.
pub async fn a_cancelled_job_marks_its_leases_and_empties_its_queues(store: &dyn Store) {
    let job = create(store, 1, fan(4)).await;
    let leases = claim_scripts(store, 1, 2, at(2)).await;
    let committed = commit(store, &job, vec![Event::CancelRequested], at(3)).await;
    assert_eq!(committed.result.effects.iter().filter(|effect| matches!(effect, Effect::Kill(_))).count(), 2);
    assert_eq!(claim_scripts(store, 2, 9, at(4)).await, [], "nothing is left in the queue");
    let stored = store.leases(worker_id(1)).await.expect("reads");
    assert!(stored.iter().all(|lease| lease.kill == Some(StopReason::Cancelled)), "{stored:?}");
    let detail = whole(store, &job, &[1]).await;
    assert_eq!((detail.job.status, detail.job.stop), (JobStatus::Running, Some(JobStop::Cancelled)));
    let gone = |lease| Event::AttemptEnded { lease, outcome: Outcome::Cancelled, output: None };
    commit(store, &job, leases.into_iter().map(gone).collect(), at(5)).await;
    let detail = whole(store, &job, &[1]).await;
    assert_eq!((detail.job.status, detail.job.completed_at), (JobStatus::Cancelled, Some(at(5))));
    assert_eq!(store.leases(worker_id(1)).await.expect("reads"), []);
}

/// Later events of a batch see what earlier ones did, and the rows hold the last word.
pub async fn events_of_one_batch_see_each_other(store: &dyn Store) {
    let tolerant = StepShape { continue_on_failure: true, ..after(&[0, 1]) };
    let timed = StepShape { timeout: Some(HumanDuration::from_secs(60)), ..after(&[]) };
    let job = create(store, 1, plan("both", &[timed, after(&[]), tolerant])).await;
    let leases = claim_scripts(store, 1, 2, at(2)).await;
    let failed = Outcome::Failed { exit: Exit::ExitCode(1) };
    let events = vec![
        Event::AttemptStarted { lease: leases[0], at: at(3) },
        succeeded(leases[0], Some(json!("first"))),
        Event::AttemptEnded { lease: leases[1], outcome: failed, output: Some(json!("not kept")) },
        succeeded(leases[0], Some(json!("again"))),
        Event::CancelRequested,
    ];
    let committed = commit(store, &job, events, at(4)).await;
    let expected =
        [Applied::Changed, Applied::Changed, Applied::Changed, Applied::AlreadyApplied, Applied::Changed];
    assert_eq!(committed.result.answers, expected.map(Ok));
    let detail = whole(store, &job, &[1]).await;
    let states: Vec<_> = detail.steps.iter().map(|step| step.row.status).collect();
    assert_eq!(states, [StepStatus::Completed, StepStatus::Failed, StepStatus::Cancelled]);
    assert_eq!(detail.steps[0].output, Some(json!("first")));
    assert_eq!(detail.steps[1].output, None);
    assert_eq!(detail.job.status, JobStatus::Cancelled);
    assert_eq!(store.next_timer().await.expect("reads"), None, "a timer that came and went in one batch");
    assert_eq!(store.queue_keys().await.expect("reads"), []);
}
