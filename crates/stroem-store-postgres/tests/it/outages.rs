//! The database goes away and comes back while everybody works.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use serde_json::json;
use stroem_core::{JobStatus, LeaseKey};
use stroem_engine::Batch;
use stroem_store::{
    ClaimRequest, DispatchStore as _, JobStore as _, StoreError,
    conformance::support::{JobShape, at, chain, succeeded, tags, whole, worker_id},
};
use stroem_store_postgres::{Options, PostgresStore};
use stroem_testkit::postgres::{self, Restart, Setup};

use crate::support::until;

const PEOPLE: u64 = 6;

/// Tries until the store is there again; whatever else it says is a failure of the test.
async fn insist<T, F: Future<Output = Result<T, StoreError>>>(attempt: impl Fn() -> F) -> T {
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(StoreError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Creates jobs of two steps and runs them to their end, one after the other; each counts in `done`.
async fn work(store: &PostgresStore, person: u64, stop: &AtomicBool, done: &AtomicU64) -> Vec<JobShape> {
    let key = ["one", "two", "three", "four", "five", "six"][usize::try_from(person).expect("small")];
    let mut jobs = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let mut plan = chain(2);
        plan.steps.iter_mut().for_each(|step| step.required_tags = tags(key));
        let shape = JobShape::new(person * 100_000 + jobs.len() as u64, plan);
        insist(|| async {
            match store.create(shape.new_job()).await {
                // What was reported as not done must not be there.
                Err(error) if store.job(shape.id()).await?.is_none() => Err(error),
                other => other,
            }
        })
        .await;
        for step in 0..2_u32 {
            let lease = claim_one(store, person, key).await;
            assert_eq!(
                (lease.attempt.job, lease.attempt.step),
                (shape.id(), step),
                "nobody else takes these"
            );
            let end =
                || Batch::new(Arc::clone(&shape.plan), vec![succeeded(lease, Some(json!(step)))], at(5));
            let committed = insist(|| store.commit(shape.id(), end())).await;
            assert!(committed.result.answers[0].is_ok(), "{:?}", committed.result.answers);
        }
        done.fetch_add(1, Ordering::SeqCst);
        jobs.push(shape);
    }
    jobs
}

async fn claim_one(store: &PostgresStore, person: u64, key: &str) -> LeaseKey {
    let worker = worker_id(person);
    let request = || ClaimRequest { worker, keys: vec![tags(key)], limit: 1, now: at(2) };
    let claims = insist(|| store.claim(request())).await;
    // None: an earlier try was done after all, which cannot be, since the store finds that out.
    claims.first().expect("a claim is not lost").lease
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_under_load_lose_nothing_and_do_nothing_twice() {
    let server = match postgres::private(&Setup::default()) {
        Ok(server) => server,
        Err(missing) => {
            return stroem_testkit::skip("restarts_under_load_lose_nothing_and_do_nothing_twice", &missing.0);
        }
    };
    let database = Arc::new(server.database());
    let store = Arc::new(PostgresStore::open(&database.url(), Options::default()).await.expect("opens"));
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut people = tokio::task::JoinSet::new();
    for person in 0..PEOPLE {
        let (store, stop, done) = (Arc::clone(&store), Arc::clone(&stop), Arc::clone(&done));
        people.spawn(async move { work(&store, person, &stop, &done).await });
    }
    for how in [Restart::Fast, Restart::Immediate, Restart::Immediate] {
        // At least one job of everybody's ends between two restarts.
        let goal = done.load(Ordering::SeqCst) + 2 * PEOPLE;
        until(|| (done.load(Ordering::SeqCst) >= goal).then_some(())).await;
        let restarted = Arc::clone(&database);
        tokio::task::spawn_blocking(move || restarted.server().restart(how)).await.expect("restarts");
    }
    let goal = done.load(Ordering::SeqCst) + PEOPLE;
    until(|| (done.load(Ordering::SeqCst) >= goal).then_some(())).await;
    stop.store(true, Ordering::SeqCst);
    let jobs: Vec<JobShape> = people.join_all().await.into_iter().flatten().collect();
    let workers: Vec<u64> = (0..PEOPLE).collect();
    let details = join_all(jobs.iter().map(|job| whole(&*store, job, &workers))).await;
    for detail in details {
        assert_eq!(detail.job.status, JobStatus::Completed);
        assert!(detail.steps.iter().all(|step| step.attempts.len() == 1), "{:?}", detail.steps);
    }
    assert!(store.statistics().connections > 1, "{:?}", store.statistics());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_is_unavailable_until_it_is_back() {
    let server = match postgres::private(&Setup::default()) {
        Ok(server) => server,
        Err(missing) => {
            return stroem_testkit::skip(
                "a_database_that_is_away_is_unavailable_until_it_is_back",
                &missing.0,
            );
        }
    };
    let database = server.database();
    let store = PostgresStore::open(&database.url(), Options::default()).await.expect("opens");
    let shape = JobShape::new(1, chain(2));
    store.create(shape.new_job()).await.expect("creates");
    database.server().stop();
    let read = store.job(shape.id()).await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    let written = store.create(JobShape::new(2, chain(2)).new_job()).await;
    assert!(matches!(written, Err(StoreError::Unavailable(_))), "{written:?}");
    database.server().start();
    whole(&store, &shape, &[]).await;
    assert_eq!(store.job(JobShape::new(2, chain(2)).id()).await.expect("reads"), None);
}
