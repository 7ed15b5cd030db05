//! Several servers on one database: hints, and who leads.

use std::{collections::BTreeSet, time::Duration};

use futures_util::FutureExt as _;
use stroem_core::JobStatus;
use stroem_engine::Event;
use stroem_store::{
    Hint, HintStream, ReplicaStore as _,
    conformance::support::{at, claim_scripts, commit, create, fan, plan, tagged, tags, worker_id},
};
use stroem_testkit::postgres::Database;

use crate::support::{database, fresh, open, until};

/// Waits until so many stores listen and have said so to each other.
async fn listening(database: &Database, stores: usize) {
    let question = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND query LIKE 'SELECT pg_notify%' \
         AND state = 'idle'",
        database.name()
    );
    until(|| (database.psql(&question) == stores.to_string()).then_some(())).await;
}

async fn next(stream: &mut Box<dyn HintStream>) -> Hint {
    tokio::time::timeout(Duration::from_secs(20), stream.next()).await.expect("a hint comes")
}

/// The next hint that says what changed. Servers that have just begun to listen say that anything may have.
async fn next_change(stream: &mut Box<dyn HintStream>) -> Hint {
    loop {
        match next(stream).await {
            Hint::Anything => {}
            hint => return hint,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_server_commits_the_others_hear_and_not_itself() {
    let Some(database) = database("what_one_server_commits_the_others_hear_and_not_itself") else { return };
    let (one, other) = (open(&database).await, open(&database).await);
    let (mut own, mut heard) = (one.hints(), other.hints());
    listening(&database, 2).await;
    let mut shape = fan(2);
    shape.timeout = Some(stroem_core::HumanDuration::from_secs(60));
    let job = create(&one, 1, shape).await;
    let mut missing = vec![
        Hint::Ready { tags: tags("script"), steps: 2 },
        Hint::TimerAdded { due_at: at(60_001) },
        Hint::JobChanged { job: job.id(), version: 2, status: JobStatus::Pending },
    ];
    while !missing.is_empty() {
        let hint = next_change(&mut heard).await;
        let place = missing.iter().position(|missing| *missing == hint);
        missing.remove(place.unwrap_or_else(|| panic!("{hint:?}, {missing:?} are missing")));
    }
    claim_scripts(&one, 1, 1, at(2)).await;
    let version = loop {
        if let Hint::JobChanged { job: id, version, .. } = next_change(&mut heard).await {
            assert_eq!(id, job.id());
            break version;
        }
    };
    commit(&one, &job, vec![Event::CancelRequested], at(3)).await;
    let mut later = BTreeSet::new();
    loop {
        match next_change(&mut heard).await {
            Hint::JobChanged { version, .. } => drop(later.insert(version)),
            Hint::Stop { worker } => {
                assert_eq!(worker, worker_id(1));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(later.iter().all(|later| *later > version), "{later:?} after {version}");
    while let Some(hint) = own.next().now_or_never() {
        assert_eq!(hint, Hint::Anything, "its own commits it knows");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_interruption_anything_may_have_changed() {
    let Some((store, database)) = fresh("after_an_interruption_anything_may_have_changed").await else {
        return;
    };
    let mut heard = store.hints();
    listening(&database, 1).await;
    while let Some(hint) = heard.next().now_or_never() {
        assert_eq!(hint, Hint::Anything, "it begins so");
    }
    database.psql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND query LIKE 'SELECT pg_notify%'",
    );
    assert_eq!(next(&mut heard).await, Hint::Anything);
    listening(&database, 1).await;
    let other = open(&database).await;
    assert_eq!(
        next(&mut heard).await,
        Hint::Anything,
        "a server that comes says that it may have missed something"
    );
    listening(&database, 2).await;
    create(&other, 1, plan("one", &[tagged("gpu")])).await;
    while next(&mut heard).await != (Hint::Ready { tags: tags("gpu"), steps: 1 }) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_of_a_moment_share_a_notification() {
    let Some((store, database)) = fresh("commits_of_a_moment_share_a_notification").await else { return };
    let listener = open(&database).await;
    let mut heard = listener.hints();
    listening(&database, 2).await;
    let job = create(&store, 1, fan(300)).await;
    claim_scripts(&store, 1, 300, at(2)).await;
    let mut changes = 0;
    loop {
        match next_change(&mut heard).await {
            Hint::JobChanged { job: id, version, .. } => {
                assert_eq!(id, job.id());
                changes += 1;
                // Three hundred decisions and one version for each claim: the last one is told at the latest.
                if version >= 600 {
                    break;
                }
            }
            Hint::Ready { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(changes <= 3, "{changes} hints for one claim of 300 steps");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_server_leads_until_it_lets_go_or_loses_its_connection() {
    let Some(database) = database("one_server_leads_until_it_lets_go_or_loses_its_connection") else {
        return;
    };
    let (one, other) = (open(&database).await, open(&database).await);
    let first = one.try_lead().await.expect("asks").expect("nobody leads");
    assert!(other.try_lead().await.expect("asks").is_none(), "one leads already");
    assert!(one.try_lead().await.expect("asks").is_none(), "nor twice");
    assert_eq!(first.lost().now_or_never(), None);
    drop(first);
    let second = loop {
        if let Some(leads) = other.try_lead().await.expect("asks") {
            break leads;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    database.psql(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    );
    tokio::time::timeout(Duration::from_secs(20), second.lost()).await.expect("it is told");
    assert!(one.try_lead().await.expect("asks").is_some(), "the next one leads");
}
