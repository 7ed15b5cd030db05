//! Moving a data directory into another one.

use std::{path::Path, sync::Mutex};

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
use stroem_store_sqlite::{
    SqliteStore,
    transfer::{SqliteExport, SqliteImport},
};

/// Jobs in every state, leases, a queue, workers, logs.
async fn fill(dir: &Path) -> Vec<JobShape> {
    let store = SqliteStore::open(dir).expect("opens");
    store.register(registration(1, 1, at(1))).await.expect("registers");
    let done = create(&store, 1, chain(1)).await;
    let first = claim_scripts(&store, 1, 1, at(2)).await[0];
    commit(&store, &done, vec![succeeded(first, Some(json!({ "text": "zero \u{0}" })))], at(3)).await;
    let running = create(&store, 2, chain(3)).await;
    assert_eq!(claim_scripts(&store, 1, 1, at(4)).await.len(), 1);
    let waiting = create(&store, 3, fan(1_500)).await;
    let key = ChunkKey { job: running.id(), step: 0, attempt: AttemptNumber(1) };
    let (first_at, last_at, payload) = (at(4), at(5), Bytes::from(vec![7; 1_000_000]));
    let chunk =
        |seq| NewChunk { key, seq, lines: 1, raw_bytes: 5, first_at, last_at, payload: payload.clone() };
    store.append((0..10).map(chunk).collect()).await.expect("appends");
    vec![done, running, waiting]
}

#[tokio::test]
async fn a_copy_answers_as_its_source_and_goes_on() {
    let (from, to) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let jobs = fill(from.path()).await;
    let mut export = SqliteExport::open(from.path()).expect("opens");
    let import = SqliteImport::open(to.path()).expect("opens");
    let steps = Mutex::new(Vec::new());
    let seen = |progress: transfer::Progress| steps.lock().expect("whole").push(progress);
    transfer::copy(&mut export, Box::new(import), &seen).await.expect("copies");
    drop(export);
    let steps = steps.into_inner().expect("whole");
    let of = |table| {
        steps.iter().filter(|step| step.table == table).map(|step| step.table_rows).collect::<Vec<_>>()
    };
    assert_eq!(of("queue"), [0, 1_000, 1_500], "so many rows at a time");
    assert_eq!(of("log_chunk"), [0, 5, 10], "so many bytes at a time");

    let (old, new) =
        (SqliteStore::open(from.path()).expect("opens"), SqliteStore::open(to.path()).expect("opens"));
    for job in &jobs {
        assert_eq!(whole(&new, job, &[1]).await, whole(&old, job, &[1]).await);
        let range = ChunkRange { job: job.id(), step: None, from_chunk_no: 0, limit: 99 };
        assert_eq!(new.chunks(range).await.expect("reads"), old.chunks(range).await.expect("reads"));
    }
    assert_eq!(new.counts().await.expect("reads"), old.counts().await.expect("reads"));
    let workers = new.workers().await.expect("reads");
    assert_eq!(workers, old.workers().await.expect("reads"));
    let lease = new.leases(workers[0].id).await.expect("reads")[0].lease;
    assert!(claim_scripts(&new, 1, 1, at(6)).await[0].fence > lease.fence, "fences go on growing");
    commit(&new, &jobs[1], vec![succeeded(lease, None)], at(8)).await;
    assert_eq!(whole(&new, &jobs[1], &[1]).await.steps[1].row.status.as_str(), "ready");
}

#[tokio::test]
async fn an_aborted_copy_leaves_nothing_and_a_full_target_is_refused() {
    let (from, to) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    fill(from.path()).await;
    let mut export = SqliteExport::open(from.path()).expect("opens");
    let mut import = SqliteImport::open(to.path()).expect("opens");
    for table in TABLES {
        export.open(table).await.expect("opens");
        import.write(table, export.next().await.expect("reads")).await.expect("writes");
    }
    drop(import);
    // As a crash between the two commits of a copy leaves it.
    let left = rusqlite::Connection::open(to.path().join("logs.db")).expect("opens");
    left.execute("INSERT INTO log (job, next_chunk_no, newest_at) VALUES (x'00', 0, 0)", []).expect("writes");
    drop(left);
    let again = SqliteImport::open(to.path()).expect("opens");
    transfer::copy(&mut export, Box::new(again), &|_| ()).await.expect("the target was empty");
    let full = SqliteImport::open(to.path()).expect("opens");
    let refused = transfer::copy(&mut export, Box::new(full), &|_| ()).await;
    assert!(matches!(refused, Err(CopyError::NotEmpty { table: "plan", .. })), "{refused:?}");
}

#[tokio::test]
async fn a_directory_that_a_server_uses_is_neither_read_nor_written() {
    let dir = tempfile::tempdir().expect("a directory");
    let missing = SqliteExport::open(&dir.path().join("nowhere")).err();
    assert!(
        matches!(&missing, Some(StoreError::Unavailable(message)) if message.contains("there is no `stroem.db`")),
        "{missing:?}"
    );
    let _store = SqliteStore::open(dir.path()).expect("opens");
    for refused in [SqliteExport::open(dir.path()).err(), SqliteImport::open(dir.path()).err()] {
        let Some(StoreError::Unavailable(message)) = refused else { panic!("{refused:?}") };
        assert!(message.contains("is in use by another server"), "{message}");
    }
}
