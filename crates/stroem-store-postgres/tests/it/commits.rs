//! Commits whose connection breaks: never lost, never done twice, never in doubt.

use std::time::Duration;

use stroem_engine::Event;
use stroem_store::{
    DispatchStore as _, JobStore as _, StoreError,
    conformance::support::{JobShape, at, chain, claim_scripts, commit, create, fan, whole, worker_id},
};
use stroem_store_postgres::{Options, PostgresStore};
use stroem_testkit::postgres::Database;

use crate::{
    proxy::Proxy,
    support::{database, fresh, until},
};

/// Makes every commit that writes a row of `table` wait in its very end, until [`release`].
fn hold_commits(database: &Database, table: &str) {
    database.psql(&format!(
        "CREATE TABLE public.gate (open boolean NOT NULL); INSERT INTO public.gate VALUES (false); \
         CREATE FUNCTION public.wait_at_the_gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         FOR i IN 1..6000 LOOP EXIT WHEN (SELECT open FROM public.gate); PERFORM pg_sleep(0.01); END LOOP; \
         RETURN NULL; END $$; \
         CREATE CONSTRAINT TRIGGER gate AFTER INSERT ON stroem.{table} DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION public.wait_at_the_gate()"
    ));
}

fn release(database: &Database) {
    database.psql("UPDATE public.gate SET open = true");
}

/// The process that is held in its commit.
async fn held(database: &Database) -> String {
    let question = format!(
        "SELECT pid FROM pg_stat_activity WHERE datname = '{}' AND wait_event = 'PgSleep'",
        database.name()
    );
    until(|| Some(database.psql(&question)).filter(|pid| !pid.is_empty())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_process_was_ended_before_it_is_reported_as_not_done() {
    let Some((store, database)) =
        fresh("a_commit_whose_process_was_ended_before_it_is_reported_as_not_done").await
    else {
        return;
    };
    hold_commits(&database, "job");
    let shape = JobShape::new(1, fan(3));
    let killer = async {
        let pid = held(&database).await;
        database.psql(&format!("SELECT pg_terminate_backend({pid})"));
    };
    let (created, ()) = tokio::join!(store.create(shape.new_job()), killer);
    assert!(matches!(created, Err(StoreError::Unavailable(_))), "{created:?}");
    assert_eq!(store.job(shape.id()).await.expect("reads"), None, "nothing of it is there");
    assert_eq!(store.counts().await.expect("reads").ready_steps, 0);
    assert_eq!(store.statistics().resolved, 1);
    release(&database);
    store.create(shape.new_job()).await.expect("the second try");
    whole(&store, &shape, &[]).await;
}

/// Cuts the wire while a commit waits at its end, lets the commit go on, and mends the wire when it is done.
async fn cut_until_done(database: &Database, proxy: &Proxy, done: &str) {
    held(database).await;
    proxy.cut();
    release(database);
    until(|| (database.psql(done) == "t").then_some(())).await;
    proxy.mend();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_was_lost_is_found_to_be_done() {
    let Some(database) = database("a_commit_whose_answer_was_lost_is_found_to_be_done") else { return };
    let proxy = Proxy::to(&database).await;
    let store = PostgresStore::open(proxy.url(), Options::default()).await.expect("opens");
    hold_commits(&database, "job");
    let shape = JobShape::new(1, fan(3));
    let cut = cut_until_done(&database, &proxy, "SELECT count(*) = 1 FROM stroem.job");
    let (created, ()) = tokio::join!(store.create(shape.new_job()), cut);
    created.expect("it was done, and the store found that out");
    assert_eq!(store.statistics().resolved, 1);
    whole(&store, &shape, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_whose_answer_was_lost_still_gives_its_leases() {
    let Some(database) = database("a_claim_whose_answer_was_lost_still_gives_its_leases") else { return };
    let proxy = Proxy::to(&database).await;
    let store = PostgresStore::open(proxy.url(), Options::default()).await.expect("opens");
    let job = create(&store, 1, fan(5)).await;
    hold_commits(&database, "lease");
    let cut = cut_until_done(&database, &proxy, "SELECT count(*) = 3 FROM stroem.lease");
    let (leases, ()) = tokio::join!(claim_scripts(&store, 1, 3, at(2)), cut);
    let stored = store.leases(worker_id(1)).await.expect("reads");
    assert_eq!(leases, stored.iter().map(|row| row.lease).collect::<Vec<_>>());
    assert_eq!(leases.iter().map(|lease| lease.attempt.step).collect::<Vec<_>>(), [0, 1, 2]);
    whole(&store, &job, &[1]).await;
}

#[tokio::test]
async fn connections_that_broke_while_they_were_free_are_not_noticed() {
    let Some((store, database)) = fresh("connections_that_broke_while_they_were_free_are_not_noticed").await
    else {
        return;
    };
    let job = create(&store, 1, chain(2)).await;
    let end_all = || {
        database.psql(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
    };
    end_all();
    assert_eq!(store.job(job.id()).await.expect("reads").map(|row| row.id), Some(job.id()));
    end_all();
    let lease = claim_scripts(&store, 1, 1, at(2)).await[0];
    end_all();
    commit(&store, &job, vec![Event::AttemptStarted { lease, at: at(3) }], at(3)).await;
    whole(&store, &job, &[1]).await;
}

#[tokio::test]
async fn a_write_goes_on_when_its_caller_goes_away() {
    let Some((store, _database)) = fresh("a_write_goes_on_when_its_caller_goes_away").await else { return };
    let shape = JobShape::new(1, fan(1));
    tokio::select! {
        biased;
        _ = store.create(shape.new_job()) => panic!("it waits for the database"),
        () = std::future::ready(()) => {}
    }
    let found = tokio::time::timeout(Duration::from_secs(20), async {
        while store.job(shape.id()).await.expect("reads").is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    found.await.expect("it is written");
    whole(&store, &shape, &[]).await;
}

/// A version that is not the one that was read under the lock is a defect: the database itself refuses to write over it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_in_another_version_is_not_written_over() {
    let Some((store, database)) = fresh("a_job_in_another_version_is_not_written_over").await else { return };
    let job = create(&store, 1, chain(1)).await;
    let lease = claim_scripts(&store, 1, 1, at(2)).await[0];
    let before = whole(&store, &job, &[1]).await;
    // A trigger stands for whoever changes the version in spite of the lock.
    database.psql(
        "CREATE FUNCTION public.meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; \
         CREATE TRIGGER meddle BEFORE UPDATE ON stroem.job FOR EACH ROW EXECUTE FUNCTION public.meddle()",
    );
    let batch =
        stroem_engine::Batch::new(job.plan.clone(), vec![Event::AttemptStarted { lease, at: at(3) }], at(3));
    let refused = store.commit(job.id(), batch).await;
    assert!(
        matches!(&refused, Err(StoreError::Corrupt(text)) if text.contains("the job in its version")),
        "{refused:?}"
    );
    assert_eq!(whole(&store, &job, &[1]).await, before, "nothing of it is there");
}
