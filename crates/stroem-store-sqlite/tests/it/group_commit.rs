//! Many callers share one commit, and none sinks another. Counted, not timed.

use futures_util::future::{join, join_all};
use stroem_store::{
    JobStore as _, StoreError,
    conformance::support::{JobShape, at, claim_scripts, commit, create, fan, succeeded, whole},
};

use crate::support::fresh;

#[tokio::test]
async fn a_hundred_callers_share_a_few_commits() {
    let (store, _dir) = fresh().await;
    let mut jobs = Vec::new();
    for number in 0..100 {
        jobs.push(create(&store, number, fan(1)).await);
    }
    let leases = claim_scripts(&store, 1, 100, at(500)).await;
    let before = store.statistics();
    let ends = jobs
        .iter()
        .zip(&leases)
        .map(|(job, lease)| commit(&store, job, vec![succeeded(*lease, None)], at(501)));
    join_all(ends).await;
    let after = store.statistics();
    assert_eq!(after.operations - before.operations, 100);
    assert!(after.commits - before.commits <= 20, "{} commits", after.commits - before.commits);
}

#[tokio::test]
async fn a_hundred_ends_in_one_batch_are_one_commit() {
    let (store, _dir) = fresh().await;
    let job = create(&store, 1, fan(100)).await;
    let leases = claim_scripts(&store, 1, 100, at(2)).await;
    let before = store.statistics().commits;
    commit(&store, &job, leases.iter().map(|lease| succeeded(*lease, None)).collect(), at(3)).await;
    assert_eq!(store.statistics().commits - before, 1);
}

#[tokio::test]
async fn what_writes_nothing_costs_no_commit() {
    let (store, _dir) = fresh().await;
    let job = create(&store, 1, fan(1)).await;
    let lease = claim_scripts(&store, 1, 1, at(2)).await[0];
    commit(&store, &job, vec![succeeded(lease, None)], at(3)).await;
    let before = store.statistics();
    commit(&store, &job, vec![succeeded(lease, None)], at(4)).await;
    assert_eq!(claim_scripts(&store, 1, 9, at(5)).await, []);
    assert_eq!(store.statistics().commits, before.commits);
}

#[tokio::test]
async fn a_failing_operation_does_not_sink_the_others() {
    let (store, _dir) = fresh().await;
    let known = create(&store, 1, fan(1)).await;
    let unknown = JobShape::new(2, fan(1));
    let good: Vec<_> = (10..40).map(|number| JobShape::new(number, fan(1))).collect();
    let creations = good.iter().map(|job| store.create(job.new_job()));
    let batch = || stroem_engine::Batch::new(unknown.plan.clone(), Vec::new(), at(1));
    let failures = (0..10).map(|_| async {
        let missing = store.commit(unknown.id(), batch()).await;
        assert!(matches!(missing, Err(StoreError::NoSuchJob)), "{missing:?}");
        let twice = store.create(known.new_job()).await;
        assert!(matches!(twice, Err(StoreError::Internal(_))), "{twice:?}");
    });
    let (created, _) = join(join_all(creations), join_all(failures)).await;
    assert!(created.iter().all(Result::is_ok), "{created:?}");
    for job in &good {
        whole(&store, job, &[]).await;
    }
    whole(&store, &known, &[]).await;
}

#[tokio::test]
async fn a_write_goes_on_when_its_caller_goes_away() {
    let (store, _dir) = fresh().await;
    let job = JobShape::new(1, fan(1));
    tokio::select! {
        biased;
        _ = store.create(job.new_job()) => panic!("it waits for the disk"),
        () = std::future::ready(()) => {}
    }
    // The writer works in order, so this one is durable after that one.
    create(&store, 2, fan(1)).await;
    whole(&store, &job, &[]).await;
}
