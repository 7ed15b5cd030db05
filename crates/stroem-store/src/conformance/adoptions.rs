//! Adoptions: where attempts run, offers, and who takes them.

use futures_util::future::join_all;
use stroem_core::{HumanDuration, LeaseKey, Mark, Runtime, Timestamp};
use stroem_engine::{Applied, Event, StopReason};

use super::support::{
    JobShape, StepShape, at, chain, claim_scripts, commit, create, fan, plan, succeeded, whole, worker_id,
};
use crate::{AdoptRequest, Claim, LeaseRow, Store};

fn runtime(number: u64) -> Runtime {
    Runtime { scope: "docker:engine".to_owned(), handle: format!("container-{number}"), mark: None }
}

async fn lease_rows(store: &dyn Store, worker: u64) -> Vec<LeaseRow> {
    store.leases(worker_id(worker)).await.expect("reads")
}

async fn adopt(store: &dyn Store, worker: u64, leases: &[LeaseKey], now: i64) -> Vec<Claim> {
    let request = AdoptRequest { worker: worker_id(worker), leases: leases.to_vec(), now: at(now) };
    store.adopt(request).await.expect("adopts")
}

/// A running step of a new job whose container is known.
async fn placed(store: &dyn Store, number: u64) -> (JobShape, LeaseKey) {
    let job = create(store, number, chain(1)).await;
    let lease = claim_scripts(store, 1, 1, at(2)).await[0];
    assert!(store.set_runtime(lease, runtime(number)).await.expect("writes"));
    (job, lease)
}

/// The runtime comes back with the lease; a lease that is over takes none.
pub async fn a_runtime_is_kept_with_its_lease(store: &dyn Store) {
    let (job, lease) = placed(store, 1).await;
    let rows = lease_rows(store, 1).await;
    assert_eq!((rows[0].runtime.clone(), rows[0].offered_at), (Some(runtime(1)), None));
    let mark = Mark { place: "5/6".to_owned(), stdout_lines: 7, stderr_lines: 8 };
    let marked = Runtime { mark: Some(mark), ..runtime(1) };
    assert!(store.set_runtime(lease, marked.clone()).await.expect("writes"));
    assert_eq!(lease_rows(store, 1).await[0].runtime, Some(marked));
    commit(store, &job, vec![succeeded(lease, None)], at(3)).await;
    assert!(!store.set_runtime(lease, runtime(2)).await.expect("writes"));
}

/// An attempt without a runtime dies with its worker; an offer keeps its first time.
pub async fn only_what_can_outlive_its_worker_is_offered(store: &dyn Store) {
    let (_, lease) = placed(store, 1).await;
    create(store, 2, chain(1)).await;
    let local = claim_scripts(store, 1, 1, at(3)).await[0];
    assert_eq!(store.offers().await.expect("reads"), []);
    assert_eq!(store.offer(vec![], at(4)).await.expect("writes"), []);
    assert_eq!(store.offer(vec![local, lease], at(5)).await.expect("writes"), [lease]);
    assert_eq!(store.offer(vec![lease], at(9)).await.expect("writes"), [lease]);
    let offers = store.offers().await.expect("reads");
    let found: Vec<_> = offers.iter().map(|row| (row.lease, row.worker, row.offered_at)).collect();
    assert_eq!(found, [(lease, worker_id(1), Some(at(5)))]);
    assert_eq!(adopt(store, 2, &[local], 10).await, [], "what is not on offer");
}

/// The same attempt goes on under a new fence; the old one is refused everywhere.
pub async fn an_adopted_attempt_has_a_new_fence_and_nothing_else_new(store: &dyn Store) {
    let timed = StepShape { timeout: Some(HumanDuration::from_secs(60)), ..StepShape::default() };
    let job = create(store, 1, plan("one", &[timed])).await;
    let old = claim_scripts(store, 1, 1, at(2)).await[0];
    commit(store, &job, vec![Event::AttemptStarted { lease: old, at: at(3) }], at(3)).await;
    assert!(store.set_runtime(old, runtime(1)).await.expect("writes"));
    commit(store, &job, vec![Event::CancelRequested], at(4)).await;
    store.offer(vec![old], at(5)).await.expect("writes");
    let before = whole(store, &job, &[1]).await;
    let due = store.due_timers(Timestamp::from_micros(i64::MAX), 9).await.expect("reads");

    let claims = adopt(store, 2, &[old], 6).await;
    let new = claims[0].lease;
    assert!(new.attempt == old.attempt && new.fence > old.fence, "{new:?} after {old:?}");
    let after = whole(store, &job, &[2]).await;
    assert_eq!(claims[0].job_version, after.job.version);
    assert_eq!(after.job.version, before.job.version + 1);
    let mut expected = before.steps[0].clone();
    (expected.row.fence, expected.row.worker) = (Some(new.fence), Some(worker_id(2)));
    (expected.attempts[0].fence, expected.attempts[0].worker) = (new.fence, worker_id(2));
    assert_eq!(after.steps[0], expected);
    assert_eq!(lease_rows(store, 1).await, []);
    let row = &lease_rows(store, 2).await[0];
    assert_eq!((row.runtime.clone(), row.offered_at), (Some(runtime(1)), None));
    assert_eq!(row.kill, Some(StopReason::Cancelled), "a cancel in the gap is not forgotten");
    let moved = store.due_timers(Timestamp::from_micros(i64::MAX), 9).await.expect("reads");
    assert_eq!(moved.len(), due.len());
    for (old, moved) in due.iter().zip(&moved) {
        assert_eq!((old.due_at, moved.key.fence), (moved.due_at, new.fence));
    }
    assert!(!store.is_attempt_of(old).await.expect("reads"));
    assert!(store.is_attempt_of(new).await.expect("reads"));
    let stale = commit(store, &job, vec![succeeded(old, None)], at(7)).await;
    assert!(stale.result.answers[0].is_err());
    let ended = commit(store, &job, vec![succeeded(new, None)], at(8)).await;
    assert_eq!(ended.result.answers, [Ok(Applied::Changed)]);
    assert_eq!(store.offers().await.expect("reads"), []);
}

/// However many ask, each attempt has one adopter.
pub async fn of_two_workers_one_adopts(store: &dyn Store) {
    let job = create(store, 1, fan(20)).await;
    let leases = claim_scripts(store, 1, 20, at(2)).await;
    for (number, lease) in (1..).zip(&leases) {
        store.set_runtime(*lease, runtime(number)).await.expect("writes");
    }
    assert_eq!(store.offer(leases.clone(), at(3)).await.expect("writes").len(), leases.len());
    let taken = join_all((2..6).map(|worker| adopt(store, worker, &leases, 4))).await;
    let mut attempts: Vec<_> = taken.iter().flatten().map(|claim| claim.lease.attempt).collect();
    attempts.sort_unstable();
    let mut expected: Vec<_> = leases.iter().map(|lease| lease.attempt).collect();
    expected.sort_unstable();
    assert_eq!(attempts, expected);
    whole(store, &job, &[1, 2, 3, 4, 5]).await;
}

/// Somebody who was only silent comes back before anybody adopted.
pub async fn a_holder_that_returns_keeps_its_lease(store: &dyn Store) {
    let (_, lease) = placed(store, 1).await;
    store.offer(vec![lease], at(5)).await.expect("writes");
    store.keep(worker_id(2), vec![lease]).await.expect("writes");
    assert_eq!(store.offers().await.expect("reads").len(), 1, "it is not that worker's");
    store.keep(worker_id(1), vec![lease]).await.expect("writes");
    assert_eq!(store.offers().await.expect("reads"), []);
    assert_eq!(adopt(store, 2, &[lease], 6).await, []);
    assert!(store.is_attempt_of(lease).await.expect("reads"));
}

/// An end that arrives before the adoption wins.
pub async fn an_attempt_that_ended_is_not_offered(store: &dyn Store) {
    let (job, lease) = placed(store, 1).await;
    store.offer(vec![lease], at(5)).await.expect("writes");
    commit(store, &job, vec![succeeded(lease, None)], at(6)).await;
    assert_eq!(store.offers().await.expect("reads"), []);
    assert_eq!(adopt(store, 2, &[lease], 7).await, []);
    assert_eq!(store.offer(vec![lease], at(8)).await.expect("writes"), []);
}
