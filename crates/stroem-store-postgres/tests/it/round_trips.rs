//! What operations cost, counted by the store and, independently, on the wire.

use serde_json::json;
use stroem_core::{Exit, Outcome};
use stroem_engine::Event;
use stroem_store::conformance::support::{
    StepShape, after, at, chain, claim_scripts, commit, create, fan, plan, succeeded,
};
use stroem_store_postgres::{Options, PostgresStore};

use crate::{
    proxy::Proxy,
    support::{database, fresh},
};

/// How many round trips and commits the store counted during some work.
async fn cost<T>(store: &PostgresStore, work: impl Future<Output = T>) -> (T, (u64, u64)) {
    let before = store.statistics();
    let result = work.await;
    let after = store.statistics();
    (result, (after.round_trips - before.round_trips, after.commits - before.commits))
}

#[tokio::test]
async fn a_batch_costs_two_round_trips_however_many_events_it_has() {
    let Some((store, _database)) = fresh("a_batch_costs_two_round_trips_however_many_events_it_has").await
    else {
        return;
    };
    let job = create(&store, 1, fan(100)).await;
    let (leases, found) = cost(&store, claim_scripts(&store, 1, 100, at(2))).await;
    assert_eq!(found, (1, 1), "a claim of a hundred steps");
    let started = leases.iter().map(|lease| Event::AttemptStarted { lease: *lease, at: at(3) }).collect();
    let (_, found) = cost(&store, commit(&store, &job, started, at(3))).await;
    assert_eq!(found, (2, 1), "a hundred starts");
    let ends = leases.iter().map(|lease| succeeded(*lease, Some(json!(1)))).collect();
    let (_, found) = cost(&store, commit(&store, &job, ends, at(4))).await;
    assert_eq!(found, (2, 1), "a hundred ends");
}

#[tokio::test]
async fn steps_that_become_ready_cost_no_further_round_trip() {
    let Some((store, _database)) = fresh("steps_that_become_ready_cost_no_further_round_trip").await else {
        return;
    };
    // The step after the two takes the outputs of both, and has a condition.
    let last = StepShape { takes_outputs: true, when: Some("true"), ..after(&[0, 1]) };
    let job = create(&store, 1, plan("join", &[after(&[]), after(&[]), last])).await;
    let leases = claim_scripts(&store, 1, 2, at(2)).await;
    for (number, lease) in leases.into_iter().enumerate() {
        let end = vec![succeeded(lease, Some(json!({ "n": number })))];
        let (_, found) = cost(&store, commit(&store, &job, end, at(3))).await;
        assert_eq!(found, (2, 1), "end {number}");
    }
    assert_eq!(claim_scripts(&store, 1, 2, at(4)).await.len(), 1, "the last is ready");
    let (_, found) = cost(&store, commit(&store, &job, vec![Event::CancelRequested], at(5))).await;
    assert_eq!(found, (2, 1), "a cancel");
}

/// The one case that needs a third: what follows depends on what was decided in the batch itself.
#[tokio::test]
async fn a_failure_that_runs_down_a_chain_costs_one_more_round_trip() {
    let Some((store, _database)) = fresh("a_failure_that_runs_down_a_chain_costs_one_more_round_trip").await
    else {
        return;
    };
    for (number, length) in [(1, 2), (2, 40)] {
        let job = create(&store, number, chain(length)).await;
        let lease = claim_scripts(&store, 1, 1, at(2)).await[0];
        let outcome = Outcome::Failed { exit: Exit::ExitCode(1) };
        let end = vec![Event::AttemptEnded { lease, outcome, output: None }];
        let (committed, (trips, commits)) = cost(&store, commit(&store, &job, end, at(3))).await;
        assert_eq!(committed.result.changes.steps.len(), length as usize, "all steps end");
        assert_eq!(commits, 1);
        assert!(trips <= 3, "{trips} round trips down a chain of {length}");
    }
}

#[tokio::test]
async fn what_changes_nothing_commits_nothing() {
    let Some((store, _database)) = fresh("what_changes_nothing_commits_nothing").await else { return };
    let job = create(&store, 1, fan(1)).await;
    let lease = claim_scripts(&store, 1, 1, at(2)).await[0];
    commit(&store, &job, vec![succeeded(lease, None)], at(3)).await;
    let (_, found) = cost(&store, claim_scripts(&store, 1, 9, at(5))).await;
    assert_eq!(found, (1, 0), "a claim of nothing");
    let (_, (_, commits)) = cost(&store, commit(&store, &job, vec![succeeded(lease, None)], at(4))).await;
    assert_eq!(commits, 0, "a report sent again");
}

/// The store's own count is what goes over the wire. One thread, so that what is sent together is seen together.
#[tokio::test]
async fn the_wire_sees_the_round_trips_that_the_store_counts() {
    let Some(database) = database("the_wire_sees_the_round_trips_that_the_store_counts") else { return };
    let proxy = Proxy::to(&database).await;
    let options = Options { connections: 1, hints: false, ..Options::default() };
    let store = PostgresStore::open(proxy.url(), options).await.expect("opens");
    let job = create(&store, 1, chain(30)).await;
    for step in 0..10_i64 {
        let mut wire = vec![proxy.round_trips()];
        let (leases, claimed) = cost(&store, claim_scripts(&store, 1, 1, at(step))).await;
        wire.push(proxy.round_trips());
        let start = vec![Event::AttemptStarted { lease: leases[0], at: at(step) }];
        let (_, started) = cost(&store, commit(&store, &job, start, at(step))).await;
        wire.push(proxy.round_trips());
        let end = vec![succeeded(leases[0], Some(json!(step)))];
        let (_, ended) = cost(&store, commit(&store, &job, end, at(step))).await;
        wire.push(proxy.round_trips());
        let seen: Vec<u64> = wire.windows(2).map(|pair| pair[1] - pair[0]).collect();
        // The first time statements are prepared as well.
        if step > 1 {
            assert_eq!(seen, [claimed.0, started.0, ended.0], "claim, start, end");
            assert_eq!(seen, [1, 2, 2], "claim, start, end");
        }
    }
}
