//! Moving a schema into another one.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::json;
use stroem_core::AttemptNumber;
use stroem_store::{
    ChunkKey, ChunkRange, DispatchStore as _, JobStore as _, LogStore as _, NewChunk, StoreError,
    WorkerStore as _,
    conformance::support::{
        JobShape, at, chain, claim_scripts, commit, create, fan, registration, succeeded, whole,
    },
    transfer::{self, CopyError, Export as _, Import as _, TABLES},
};
use stroem_store_postgres::{
    Options, PostgresStore,
    transfer::{PostgresExport, PostgresImport},
};

use crate::support::{database, fresh};

/// Tables that are not moved: versions and transactions of this database, what triggers keep, what its servers agreed on,
/// and blobs, which are files in the embedded store: a server that starts takes them over from its data directory.
const OWN_TABLES: &[&str] =
    &["schema_version", "commit_mark", "job_count", "agreed", "blob", "blob_unnamed", "blob_part"];
/// Columns that only this store has.
const OWN_COLUMNS: &[&str] = &["lease.slot", "lease.mark"];

fn second() -> Options {
    Options { schema: "second".to_owned(), hints: false, ..Options::default() }
}

/// Jobs in every state, leases, a queue, workers, logs.
async fn fill(store: &PostgresStore) -> Vec<JobShape> {
    store.register(registration(1, 1, at(1))).await.expect("registers");
    let done = create(store, 1, chain(1)).await;
    let first = claim_scripts(store, 1, 1, at(2)).await[0];
    commit(store, &done, vec![succeeded(first, Some(json!({ "text": "zero \u{0}" })))], at(3)).await;
    let running = create(store, 2, chain(3)).await;
    assert_eq!(claim_scripts(store, 1, 1, at(4)).await.len(), 1);
    let waiting = create(store, 3, fan(40)).await;
    let key = ChunkKey { job: running.id(), step: 0, attempt: AttemptNumber(1) };
    let chunk = |seq| NewChunk {
        key,
        seq,
        lines: 1,
        raw_bytes: 5,
        first_at: at(4),
        last_at: at(5),
        payload: Bytes::from(vec![0, 255, 7]),
    };
    store.append((0..40).map(chunk).collect()).await.expect("appends");
    vec![done, running, waiting]
}

#[tokio::test]
async fn every_table_and_column_is_moved_or_named_as_this_stores_own() {
    let test = "every_table_and_column_is_moved_or_named_as_this_stores_own";
    let Some((_store, database)) = fresh(test).await else { return };
    let sql = "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'stroem'";
    let found = database.psql(sql);
    let is_own = |name: &str| {
        let table = name.split('.').next().expect("a table");
        OWN_TABLES.contains(&table) || OWN_COLUMNS.contains(&name)
    };
    let found: BTreeSet<_> = found.lines().filter(|name| !is_own(name)).map(str::to_owned).collect();
    let moved = TABLES
        .iter()
        .flat_map(|table| table.columns.iter().map(|column| format!("{}.{}", table.name, column.name)));
    assert_eq!(moved.collect::<BTreeSet<_>>(), found);
}

#[tokio::test]
async fn a_copy_answers_as_its_source_and_goes_on() {
    let Some((store, database)) = fresh("a_copy_answers_as_its_source_and_goes_on").await else { return };
    let jobs = fill(&store).await;
    let (counts, workers) = (store.counts().await.expect("reads"), store.workers().await.expect("reads"));
    store.close().await;
    let mut from = PostgresExport::open(&database.url(), Options::default()).await.expect("opens");
    let to = PostgresImport::open(&database.url(), second()).await.expect("opens");
    let copied = transfer::copy(&mut from, Box::new(to), &|_| ()).await.expect("copies");
    assert_eq!(copied.iter().map(|table| table.rows).filter(|rows| *rows > 0).count(), 13, "{copied:?}");
    drop(from);

    let old = PostgresStore::open(&database.url(), Options::default()).await.expect("opens");
    let new = PostgresStore::open(&database.url(), second()).await.expect("opens");
    for job in &jobs {
        assert_eq!(whole(&new, job, &[1]).await, whole(&old, job, &[1]).await);
        let range = ChunkRange { job: job.id(), step: None, from_chunk_no: 0, limit: 99 };
        assert_eq!(new.chunks(range).await.expect("reads"), old.chunks(range).await.expect("reads"));
    }
    assert_eq!(new.counts().await.expect("reads"), counts);
    assert_eq!(new.workers().await.expect("reads"), workers);
    assert_eq!(
        new.leases(workers[0].id).await.expect("reads"),
        old.leases(workers[0].id).await.expect("reads")
    );
    let lease = new.leases(workers[0].id).await.expect("reads")[0].lease;
    let next = claim_scripts(&new, 1, 1, at(6)).await[0];
    assert!(next.fence > lease.fence, "fences go on growing");
    create(&new, 9, chain(2)).await;
    assert_eq!(claim_scripts(&new, 1, 99, at(7)).await.len(), 40, "39 of the old queue, one of the new job");
    commit(&new, &jobs[1], vec![succeeded(lease, None)], at(8)).await;
    assert_eq!(whole(&new, &jobs[1], &[1]).await.steps[1].row.status.as_str(), "ready");
}

#[tokio::test]
async fn an_aborted_copy_leaves_nothing_and_a_full_target_is_refused() {
    let test = "an_aborted_copy_leaves_nothing_and_a_full_target_is_refused";
    let Some((store, database)) = fresh(test).await else { return };
    fill(&store).await;
    store.close().await;
    let mut from = PostgresExport::open(&database.url(), Options::default()).await.expect("opens");
    let mut to = PostgresImport::open(&database.url(), second()).await.expect("opens");
    for table in &TABLES[..5] {
        from.open(table).await.expect("opens");
        let rows = from.next().await.expect("reads");
        to.write(table, rows).await.expect("writes");
    }
    assert_eq!(to.count(&TABLES[1]).await.expect("counts"), 3);
    drop(to);
    let to = PostgresImport::open(&database.url(), second()).await.expect("opens again");
    transfer::copy(&mut from, Box::new(to), &|_| ()).await.expect("the target was empty");
    let to = PostgresImport::open(&database.url(), second()).await.expect("opens");
    let refused = transfer::copy(&mut from, Box::new(to), &|_| ()).await;
    assert!(matches!(refused, Err(CopyError::NotEmpty { table: "plan", .. })), "{refused:?}");
}

#[tokio::test]
async fn a_store_that_a_server_leads_is_neither_read_nor_written() {
    let Some(database) = database("a_store_that_a_server_leads_is_neither_read_nor_written") else { return };
    let store = PostgresStore::open(&database.url(), Options::default()).await.expect("opens");
    let leads = stroem_store::ReplicaStore::try_lead(&store).await.expect("asks").expect("leads");
    let (url, options) = (database.url(), Options::default());
    let (read, write) = tokio::join!(
        PostgresExport::open(&url, options.clone()),
        PostgresImport::open(&url, options.clone())
    );
    for refused in [read.err(), write.err()] {
        let Some(StoreError::Unavailable(message)) = refused else { panic!("{refused:?}") };
        assert!(message.contains("a server uses this database"), "{message}");
    }
    drop(leads);
    PostgresExport::open(&url, options).await.expect("free now");
}

#[tokio::test]
async fn a_database_with_blobs_is_not_read() {
    let Some((store, database)) = fresh("a_database_with_blobs_is_not_read").await else { return };
    store.close().await;
    database.psql(
        "CREATE TABLE IF NOT EXISTS stroem.blob (key text, content bigint, size_bytes bigint); \
         INSERT INTO stroem.blob (key, content, size_bytes) VALUES ('logs/1', 1, 1)",
    );
    let refused = PostgresExport::open(&database.url(), Options::default()).await.err();
    let Some(StoreError::Unavailable(message)) = refused else { panic!("{refused:?}") };
    assert!(message.contains("1 sealed log(s) and revision(s) lie in this database"), "{message}");
}
