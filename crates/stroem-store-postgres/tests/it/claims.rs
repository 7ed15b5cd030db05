//! Claims of several servers at once, and what a claim costs.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::Value;
use stroem_core::{LeaseKey, Outcome};
use stroem_engine::Event;
use stroem_store::{
    DispatchStore as _, JobStore as _, StoreError,
    conformance::support::{at, claim, commit, create, fan, plan, tagged, whole, worker_id},
};
use stroem_store_postgres::PostgresStore;
use stroem_testkit::postgres::Database;

use crate::support::{database, fresh, open, until};

const STEPS: usize = 60;

/// Takes and ends steps of both queues until none is left.
async fn take_all(
    store: &PostgresStore,
    worker: u64,
    jobs: &[stroem_store::conformance::support::JobShape],
) -> Vec<LeaseKey> {
    let mut taken = Vec::new();
    loop {
        let claims = claim(store, worker, &["script", "gpu"], 3, at(2)).await;
        if claims.is_empty() {
            return taken;
        }
        for lease in claims.into_iter().map(|claim| claim.lease) {
            taken.push(lease);
            let job = jobs.iter().find(|job| job.id() == lease.attempt.job).expect("a job of this test");
            let end = Event::AttemptEnded { lease, outcome: Outcome::Succeeded, output: None };
            commit(store, job, vec![end], at(3)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_claim_at_once_never_give_a_step_twice() {
    let Some(database) = database("servers_that_claim_at_once_never_give_a_step_twice") else { return };
    let stores = join_all((0..3).map(|_| open(&database))).await;
    let mut jobs = Vec::new();
    for number in 0..4 {
        let key = if number % 2 == 0 { "gpu" } else { "script" };
        jobs.push(create(&stores[0], number, plan("wide", &vec![tagged(key); STEPS])).await);
    }
    let workers: Vec<u64> = (1..=9).collect();
    let takers = workers.iter().map(|worker| {
        let store = &stores[usize::try_from(*worker).expect("small") % stores.len()];
        take_all(store, *worker, &jobs)
    });
    let taken: Vec<LeaseKey> = join_all(takers).await.into_iter().flatten().collect();
    let steps: BTreeSet<_> = taken.iter().map(|lease| (lease.attempt.job, lease.attempt.step)).collect();
    assert_eq!((taken.len(), steps.len()), (4 * STEPS, 4 * STEPS));
    for job in &jobs {
        assert!(whole(&stores[1], job, &workers).await.job.status.is_terminal());
    }
}

/// Cancels meet claims of another server: each step either runs and is told to stop, or never runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancels_and_claims_of_two_servers_have_one_winner_for_each_step() {
    let Some(database) = database("cancels_and_claims_of_two_servers_have_one_winner_for_each_step") else {
        return;
    };
    let (one, other) = (open(&database).await, open(&database).await);
    for number in 1..=15 {
        let job = create(&one, number, fan(20)).await;
        let claims = join_all((1..=4).map(|worker| claim(&other, worker, &["script"], 4, at(2))));
        let (claims, _) = tokio::join!(claims, commit(&one, &job, vec![Event::CancelRequested], at(2)));
        let leases: BTreeSet<_> = claims.into_iter().flatten().map(|claim| claim.lease.fence).collect();
        let mut stored = BTreeSet::new();
        for worker in 1..=4 {
            for row in other.leases(worker_id(worker)).await.expect("reads") {
                if row.lease.attempt.job == job.id() {
                    assert!(row.kill.is_some(), "{row:?}");
                    stored.insert(row.lease.fence);
                }
            }
        }
        assert_eq!(leases, stored);
        whole(&one, &job, &[1, 2, 3, 4]).await;
        assert_eq!(one.queue_keys().await.expect("reads"), [], "no row is left behind");
    }
}

/// The settings of the store's own connections.
const SETTINGS: &str = "SET search_path = stroem; SET enable_seqscan = off; SET enable_bitmapscan = off; \
                        SET enable_sort = off; SET enable_hashjoin = off; SET enable_mergejoin = off; \
                        SET plan_cache_mode = force_generic_plan; SET jit = off";

/// Pages that a claim of eight steps touches, beside so many ready rows of other tags. Rolled back.
fn pages(database: &Database, others: u32) -> u64 {
    database.psql(&format!(
        "SET search_path = stroem; INSERT INTO queue_key (tags) VALUES ('other') ON CONFLICT DO NOTHING; \
         INSERT INTO queue SELECT (SELECT id FROM queue_key WHERE tags = 'other'), 0, i, \
         ('01900000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, 0, NULL \
         FROM generate_series(1, {others}) AS n(i) ON CONFLICT DO NOTHING"
    ));
    database.psql("VACUUM ANALYZE stroem.queue");
    let claim = "* FROM claim('01900000-0000-7000-8000-000000000001'::uuid, '{script}'::text[], 8::bigint, \
                 1::bigint, 0::bigint, '01900000-0000-7000-8000-000000000002'::uuid, 1::bigint)";
    // The first one reads the catalogue and makes the plans; what is rolled back takes the settings with it.
    let explained = database.psql(&format!(
        "{SETTINGS}; BEGIN; DO $$ BEGIN PERFORM {claim}; END $$; ROLLBACK; {SETTINGS}; \
         BEGIN; EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT {claim}; ROLLBACK"
    ));
    let plan: Value = serde_json::from_str(&explained).expect("JSON");
    let plan = &plan[0]["Plan"];
    assert_eq!(plan["Actual Rows"].as_f64(), Some(8.0), "{plan}");
    ["Shared Hit Blocks", "Shared Read Blocks"].iter().map(|key| plan[*key].as_u64().expect("a number")).sum()
}

#[tokio::test]
async fn a_claim_costs_the_same_beside_ten_and_a_million_rows_of_other_tags() {
    let Some((store, database)) =
        fresh("a_claim_costs_the_same_beside_ten_and_a_million_rows_of_other_tags").await
    else {
        return;
    };
    create(&store, 1, fan(20)).await;
    let few = pages(&database, 10);
    let many = pages(&database, 1_000_000);
    // The trees of the queue's two indexes are two levels higher, and each of eight rows is looked up in them.
    assert!(many <= few + 8 * 2 * 2 * 2, "{few} pages beside ten rows, {many} beside a million");
}

/// The questions that every event, claim or poll asks must follow an index, also when the statistics say that a table is
/// tiny: none reads a whole table.
#[tokio::test]
async fn hot_questions_follow_an_index() {
    let Some((_store, database)) = fresh("hot_questions_follow_an_index").await else { return };
    let id = "'01900000-0000-7000-8000-000000000001'";
    for sql in [
        format!("SELECT 1 FROM queue WHERE queue_key = 1 AND (avoid_worker IS NULL OR avoid_worker <> {id}) \
                 ORDER BY priority DESC, ready_at, job, step LIMIT 8"),
        format!("DELETE FROM queue WHERE job = {id} AND step = 1"),
        "SELECT priority FROM queue WHERE queue_key = 1 AND priority < 5 ORDER BY priority DESC, ready_at, job, step \
         LIMIT 1".to_owned(),
        format!("SELECT fence FROM lease WHERE worker = {id} ORDER BY fence"),
        format!("SELECT step FROM step WHERE job = {id} AND status < 4"),
        format!("UPDATE step s SET status = n.a FROM unnest('{{1}}'::bigint[], '{{2}}'::bigint[]) AS n(step, a) \
                 WHERE s.job = {id} AND s.step = n.step"),
        "SELECT due_at FROM timer ORDER BY due_at LIMIT 1".to_owned(),
        format!("DELETE FROM timer WHERE job = {id}"),
        "SELECT id FROM worker WHERE session = '\\x00' AND gone_at IS NULL".to_owned(),
        "SELECT id FROM job WHERE workspace = 'w' ORDER BY id DESC LIMIT 9".to_owned(),
        format!("SELECT chunk_no FROM log_chunk WHERE job = {id} AND step = 1 AND chunk_no >= 5 ORDER BY chunk_no"),
    ] {
        let plan = database.psql(&format!(
            "{SETTINGS}; EXPLAIN {sql}"
        ));
        assert!(plan.contains("Index") && !plan.contains("Seq Scan"), "{sql}:\n{plan}");
        assert!(!plan.contains("Sort"), "{sql}:\n{plan}");
    }
}

/// Each commit adds rows to the counts; they are folded every so often, and the sums stay what they were.
#[tokio::test]
async fn counts_of_jobs_stay_small_and_right() {
    let Some((store, database)) = fresh("counts_of_jobs_stay_small_and_right").await else { return };
    for number in 0..300 {
        create(&store, number, fan(1)).await;
    }
    let rows =
        || -> u64 { database.psql("SELECT count(*) FROM stroem.job_count").parse().expect("a number") };
    until(|| (rows() < 100).then_some(())).await;
    let counts = store.counts().await.expect("reads").jobs;
    assert_eq!(counts.iter().map(|(_, jobs)| jobs).sum::<u64>(), 300, "{counts:?}");
}

#[tokio::test]
async fn the_databases_clock_is_told() {
    let Some((store, database)) = fresh("the_databases_clock_is_told").await else { return };
    let micros = || -> i64 {
        let text = database.psql("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint");
        text.parse().expect("a number")
    };
    let before = micros();
    let now: Result<_, StoreError> = store.database_time().await;
    let now = now.expect("reads").as_micros();
    assert!(before <= now && now <= micros());
}
