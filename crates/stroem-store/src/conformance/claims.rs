//! Claims: order, limits, fences, races.

use std::collections::BTreeSet;

use futures_util::future::{join, join_all};
use stroem_core::{LeaseKey, Outcome, StepStatus, Timestamp};
use stroem_engine::{Applied, Event};

use super::support::{
    JobShape, at, chain, claim, claim_scripts, commit, create, fan, instance_id, plan, registration, tagged,
    whole, worker_id,
};
use crate::{AVOID_WORKER, Claim, Store};

fn jobs(claims: &[Claim]) -> Vec<u64> {
    let number = |claim: &Claim| {
        (0..1_000)
            .find(|number| super::support::job_id(*number) == claim.lease.attempt.job)
            .expect("a job of this test")
    };
    claims.iter().map(number).collect()
}

/// First ready, first claimed, whatever queue a step stands in.
pub async fn the_oldest_comes_first_across_queues(store: &dyn Store) {
    for number in 1..=6_u64 {
        let key = if number.is_multiple_of(2) { "gpu" } else { "script" };
        create(store, number, plan("one", &[tagged(key)])).await;
    }
    assert_eq!(jobs(&claim(store, 1, &["gpu", "script"], 4, at(10)).await), [1, 2, 3, 4]);
    assert_eq!(jobs(&claim(store, 1, &["script", "gpu"], 4, at(11)).await), [5, 6]);
}

/// Priority goes before age, across queues and within one.
pub async fn a_higher_priority_comes_before_an_older_step(store: &dyn Store) {
    for (number, priority, key) in [
        (1, 0, "script"),
        (2, 5, "script"),
        (3, -1, "script"),
        (4, 5, "gpu"),
        (5, 9, "gpu"),
        (6, 0, "script"),
    ] {
        let mut job = JobShape::new(number, plan("one", &[tagged(key)]));
        job.priority = priority;
        store.create(job.new_job()).await.expect("creates");
    }
    assert_eq!(jobs(&claim(store, 1, &["script", "gpu"], 10, at(10)).await), [5, 2, 4, 1, 6, 3]);
}

/// Queues that were not asked for keep their steps; unknown queues and empty wishes give nothing.
pub async fn only_the_asked_for_queues_are_touched(store: &dyn Store) {
    create(store, 1, plan("one", &[tagged("script")])).await;
    create(store, 2, plan("one", &[tagged("docker,gpu")])).await;
    assert_eq!(claim(store, 1, &["gpu", "docker", "nobody"], 9, at(5)).await, []);
    assert_eq!(claim(store, 1, &[], 9, at(5)).await, []);
    assert_eq!(claim(store, 1, &["script"], 0, at(5)).await, []);
    assert_eq!(jobs(&claim(store, 1, &["docker,gpu"], 9, at(6)).await), [2]);
    assert_eq!(jobs(&claim(store, 1, &["script", "script"], 9, at(7)).await), [1], "a queue named twice");
}

/// A worker whose disk was full does not get the step back; others do.
pub async fn a_step_is_not_given_to_the_worker_that_it_avoids(store: &dyn Store) {
    let job = create(store, 1, chain(1)).await;
    let lease = claim_scripts(store, 1, 1, at(2)).await[0];
    let full = Outcome::DiskFull { message: "no space left on device".to_owned() };
    commit(store, &job, vec![Event::AttemptEnded { lease, outcome: full, output: None }], at(3)).await;
    create(store, 5, chain(1)).await;
    assert_eq!(jobs(&claim(store, 1, &["script"], 9, at(6)).await), [5], "what stands behind it");
    assert_eq!(jobs(&claim(store, 2, &["script"], 9, at(7)).await), [1]);
}

/// When nobody else took it for a while, the worker that it avoids may be the only one.
pub async fn a_step_avoids_a_worker_for_a_while_only(store: &dyn Store) {
    let job = create(store, 1, chain(1)).await;
    let lease = claim_scripts(store, 1, 1, at(2)).await[0];
    let full = Outcome::DiskFull { message: "no space left on device".to_owned() };
    commit(store, &job, vec![Event::AttemptEnded { lease, outcome: full, output: None }], at(3)).await;
    let over = at(3).after(AVOID_WORKER);
    let just_before = Timestamp::from_micros(over.as_micros() - 1);
    assert_eq!(claim(store, 1, &["script"], 9, just_before).await, []);
    assert_eq!(jobs(&claim(store, 1, &["script"], 9, over).await), [1]);
}

/// Free slots bound a claim.
pub async fn at_most_the_limit_is_claimed(store: &dyn Store) {
    let job = create(store, 1, fan(10)).await;
    for (limit, expected) in [(3, vec![0, 1, 2]), (1, vec![3]), (100, vec![4, 5, 6, 7, 8, 9]), (5, vec![])] {
        let leases = claim_scripts(store, 1, limit, at(2)).await;
        assert_eq!(leases.iter().map(|lease| lease.attempt.step).collect::<Vec<_>>(), expected);
    }
    let detail = whole(store, &job, &[1]).await;
    assert_eq!(detail.job.version - i64::from(detail.job.priority), 20, "ten decisions and ten claims");
    assert_eq!(detail.job.started_at, Some(at(2)));
}

/// The store knows best: another server may have noted that a worker drains or is gone.
pub async fn who_is_gone_or_drains_gets_nothing(store: &dyn Store) {
    create(store, 1, fan(3)).await;
    store.register(registration(1, 11, at(1))).await.expect("registers");
    assert_eq!(claim_scripts(store, 1, 1, at(2)).await.len(), 1);
    store.set_draining(worker_id(1), true).await.expect("notes");
    assert_eq!(claim_scripts(store, 1, 1, at(3)).await, []);
    store.set_draining(worker_id(1), false).await.expect("notes");
    assert_eq!(claim_scripts(store, 1, 1, at(4)).await.len(), 1);
    store.gone(worker_id(1), instance_id(11), at(5)).await.expect("notes");
    assert_eq!(claim_scripts(store, 1, 1, at(6)).await, []);
    store.register(registration(1, 12, at(7))).await.expect("registers");
    assert_eq!(claim_scripts(store, 1, 1, at(8)).await.len(), 1);
}

/// No fence is given out twice, and a later claim has a greater one, also of the same step.
pub async fn fences_grow_with_every_claim(store: &dyn Store) {
    let job = create(store, 1, chain(1)).await;
    let other = create(store, 2, fan(3)).await;
    let mut last: Option<LeaseKey> = None;
    for round in 0..5 {
        let leases = claim_scripts(store, 1, 1, at(10 + round)).await;
        assert!(last.is_none_or(|last| last.fence < leases[0].fence), "{last:?} then {leases:?}");
        last = Some(leases[0]);
        if round < 4 {
            commit(store, &job, vec![Event::HandedBack { lease: leases[0] }], at(2)).await;
        }
    }
    let leases = claim_scripts(store, 2, 3, at(20)).await;
    let fences: BTreeSet<_> = leases.iter().map(|lease| lease.fence).collect();
    assert_eq!(fences.len(), 3);
    assert!(fences.iter().all(|fence| last.is_some_and(|last| last.fence < *fence)));
    whole(store, &other, &[2]).await;
}

/// A hundred workers claim at once: every step goes to exactly one of them.
pub async fn concurrent_claims_never_give_a_step_twice(store: &dyn Store) {
    let job = create(store, 1, fan(150)).await;
    let workers: Vec<u64> = (1..=100).collect();
    let claims = workers.iter().map(|worker| claim_scripts(store, *worker, 2, at(2)));
    let claimed: Vec<LeaseKey> = join_all(claims).await.into_iter().flatten().collect();
    let steps: BTreeSet<u32> = claimed.iter().map(|lease| lease.attempt.step).collect();
    assert_eq!((claimed.len(), steps.len()), (150, 150));
    let fences: BTreeSet<_> = claimed.iter().map(|lease| lease.fence).collect();
    assert_eq!(fences.len(), 150);
    let detail = whole(store, &job, &workers).await;
    assert!(detail.steps.iter().all(|step| step.row.status == StepStatus::Running));
}

/// Claim and cancel meet: either the step runs and is told to stop, or it never runs.
pub async fn a_claim_and_a_cancel_have_one_winner(store: &dyn Store) {
    let mut won_by_claim = 0;
    for number in 1..=40 {
        let job = create(store, number, chain(1)).await;
        let now = job.created_at();
        let cancel = commit(store, &job, vec![Event::CancelRequested], now);
        let take = claim_scripts(store, 1, 1, now);
        let (leases, committed) = if number.is_multiple_of(2) {
            join(take, cancel).await
        } else {
            let (committed, leases) = join(cancel, take).await;
            (leases, committed)
        };
        assert_eq!(committed.result.answers, [Ok(Applied::Changed)]);
        let row = whole(store, &job, &[1]).await.steps[0].row.clone();
        let stored = store.leases(worker_id(1)).await.expect("reads");
        if let [lease] = leases[..] {
            won_by_claim += 1;
            assert_eq!((row.status, row.fence), (StepStatus::Running, Some(lease.fence)));
            assert!(stored.iter().all(|row| row.lease == lease && row.kill.is_some()), "{stored:?}");
            let ended = Event::AttemptEnded { lease, outcome: Outcome::Cancelled, output: None };
            commit(store, &job, vec![ended], now).await;
        } else {
            assert_eq!((leases.len(), row.status, stored.len()), (0, StepStatus::Cancelled, 0));
        }
    }
    assert!(won_by_claim <= 40);
}
