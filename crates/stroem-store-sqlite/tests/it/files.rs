//! The data directory: reopening, the lock, versions, the schema.

use std::{fs, path::Path};

use bytes::Bytes;
use rusqlite::Connection;
use serde_json::json;
use stroem_core::AttemptNumber;
use stroem_store::{
    ChunkKey, ChunkRange, JobStore as _, LogStore as _, NewChunk, StoreError, WorkerStore as _,
    conformance::support::{at, chain, claim_scripts, commit, create, registration, succeeded, whole},
};
use stroem_store_sqlite::{Durability, SqliteStore};

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(dir.path()).expect("opens");
    let job = create(&store, 1, chain(3)).await;
    store.register(registration(1, 1, at(1))).await.expect("registers");
    let first = claim_scripts(&store, 1, 1, at(2)).await[0];
    commit(&store, &job, vec![succeeded(first, Some(json!({ "value": 1 })))], at(3)).await;
    let key = ChunkKey { job: job.id(), step: 0, attempt: AttemptNumber(1) };
    let (first_at, last_at, payload) = (at(2), at(3), Bytes::from_static(b"lines"));
    let chunk = NewChunk { key, seq: 0, lines: 1, raw_bytes: 5, first_at, last_at, payload };
    store.append(vec![chunk.clone()]).await.expect("appends");
    let (detail, workers) = (whole(&store, &job, &[1]).await, store.workers().await.expect("reads"));
    drop(store);

    let store = SqliteStore::open(dir.path()).expect("opens again");
    assert_eq!(whole(&store, &job, &[1]).await, detail);
    assert_eq!(store.workers().await.expect("reads"), workers);
    assert_eq!(store.plan(job.hash).await.expect("reads").as_deref(), Some(&*job.plan));
    let range = ChunkRange { job: job.id(), step: None, from_chunk_no: 0, limit: 9 };
    assert_eq!(store.chunks(range).await.expect("reads")[0].chunk, chunk);
    assert_eq!(store.append(vec![chunk]).await.expect("appends")[0].next_seq, 1);
    let second = claim_scripts(&store, 1, 1, at(4)).await[0];
    assert!(second.fence > first.fence, "fences go on growing");
}

#[tokio::test]
async fn a_second_server_on_the_same_directory_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let inside = dir.path().join("made/on the way");
    let first = SqliteStore::open(&inside).expect("opens");
    let second = SqliteStore::open(&inside).err();
    let Some(StoreError::Unavailable(message)) = second else { panic!("{second:?}") };
    assert!(message.contains("on the way` is in use by another server"), "{message}");
    drop(first);
    SqliteStore::open_in(&inside, Durability::UntilPowerLoss).expect("free again");
}

#[test]
fn a_path_that_is_no_directory_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("file");
    fs::write(&file, "").expect("writes");
    let refused = SqliteStore::open(&file).err();
    assert!(
        matches!(&refused, Some(StoreError::Unavailable(message)) if message.contains("file")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn files_of_a_newer_version_are_refused() {
    for name in ["stroem.db", "logs.db"] {
        let dir = tempfile::tempdir().expect("a directory");
        drop(SqliteStore::open(dir.path()).expect("opens"));
        let file = dir.path().join(name);
        Connection::open(&file).expect("opens").pragma_update(None, "user_version", 99).expect("writes");
        let refused = SqliteStore::open(dir.path()).err();
        let Some(StoreError::Corrupt(message)) = refused else { panic!("{refused:?}") };
        assert!(message.contains(name) && message.contains("version 99"), "{message}");
        assert!(message.contains("newer version"), "{message}");
    }
}

#[test]
fn something_else_under_the_name_of_the_database_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("stroem.db"), "no database, but long enough to be read as one".repeat(50))
        .expect("writes");
    let refused = SqliteStore::open(dir.path()).err();
    assert!(matches!(refused, Some(StoreError::Corrupt(_))), "{refused:?}");
}

/// A schema once released never changes; a change is a new migration with a new golden file.
#[test]
fn the_schema_is_that_of_its_version() {
    let dir = tempfile::tempdir().expect("a directory");
    drop(SqliteStore::open(dir.path()).expect("opens"));
    let found = format!("{}\n{}", schema(&dir.path().join("stroem.db")), schema(&dir.path().join("logs.db")));
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/schema-v4.sql");
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    if found != expected {
        let new = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schema-v4.sql");
        fs::write(&new, &found).expect("writes");
        panic!("the schema of {} is now that of {}", golden.display(), new.display());
    }
}

fn schema(file: &Path) -> String {
    let connection = Connection::open(file).expect("opens");
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).expect("reads");
    let mut statement = connection
        .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name")
        .expect("prepares");
    let sql = statement.query_map([], |row| row.get::<_, String>(0)).expect("reads");
    let sql: Vec<String> = sql.map(|sql| format!("{};", sql.expect("reads"))).collect();
    let name = file.file_name().expect("a name").to_string_lossy();
    format!("-- {name}, version {version}\n{}\n", sql.join("\n"))
}
