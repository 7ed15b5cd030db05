//! The schema: migrations, versions, several installations in one database.

use std::{fs, path::Path};

use futures_util::future::join_all;
use stroem_store::{
    JobStore as _, StoreError,
    conformance::support::{create, fan, whole},
};
use stroem_store_postgres::{Options, PostgresStore};

use crate::support::{database, fresh, open};

#[tokio::test]
async fn servers_that_start_at_once_migrate_once() {
    let Some(database) = database("servers_that_start_at_once_migrate_once") else { return };
    let opened = join_all((0..6).map(|_| open(&database))).await;
    let job = create(&opened[0], 1, fan(2)).await;
    for store in &opened {
        whole(store, &job, &[]).await;
    }
    assert_eq!(database.psql("SELECT count(*), max(version) FROM stroem.schema_version"), "1|4");
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let Some((store, database)) = fresh("everything_is_there_after_reopening").await else { return };
    let job = create(&store, 1, fan(3)).await;
    let detail = whole(&store, &job, &[]).await;
    store.close().await;
    let connected = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND application_name = 'stroem'",
        database.name()
    );
    crate::support::until(|| (database.psql(&connected) == "0").then_some(())).await;
    let store = open(&database).await;
    assert_eq!(whole(&store, &job, &[]).await, detail);
    assert_eq!(store.plan(job.hash).await.expect("reads").as_deref(), Some(&*job.plan));
}

#[tokio::test]
async fn a_schema_of_a_newer_version_is_refused() {
    let Some((store, database)) = fresh("a_schema_of_a_newer_version_is_refused").await else { return };
    drop(store);
    database.psql("UPDATE stroem.schema_version SET version = 99");
    let refused = PostgresStore::open(&database.url(), Options::default()).await.err();
    let Some(StoreError::Corrupt(message)) = refused else { panic!("{refused:?}") };
    assert!(message.contains("version 99") && message.contains("newer version"), "{message}");
    assert_eq!(database.psql("SELECT version FROM stroem.schema_version"), "99", "it is left alone");
}

#[tokio::test]
async fn schemas_of_one_database_know_nothing_of_each_other() {
    let Some((store, database)) = fresh("schemas_of_one_database_know_nothing_of_each_other").await else {
        return;
    };
    let options = Options { schema: "second_1".to_owned(), ..Options::default() };
    let second = PostgresStore::open(&database.url(), options).await.expect("opens");
    let job = create(&store, 1, fan(1)).await;
    assert_eq!(second.job(job.id()).await.expect("reads"), None);
    create(&second, 1, fan(2)).await;
    assert_eq!(store.detail(job.id()).await.expect("reads").expect("exists").steps.len(), 1);
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_says_why() {
    let options = |schema: &str| Options { schema: schema.to_owned(), ..Options::default() };
    for (url, options, expected) in [
        ("mysql://db", options("stroem"), "must begin with `postgres://`"),
        ("postgres://db", options("No; schema"), "cannot be the database's schema"),
        ("postgres://db", options(""), "cannot be the database's schema"),
        ("postgres://db", Options { connections: 0, ..Options::default() }, "at least one connection"),
        ("postgres://me@127.0.0.1:1/db?sslmode=disable", options("stroem"), "refused"),
    ] {
        let refused = PostgresStore::open(url, options).await.err();
        let Some(StoreError::Unavailable(message)) = refused else { panic!("{url}: {refused:?}") };
        assert!(message.contains(expected), "{url}: {message}");
    }
}

/// A schema once released never changes; a change is a new migration with a new golden file.
#[tokio::test]
async fn the_schema_is_that_of_its_version() {
    let Some((_store, database)) = fresh("the_schema_is_that_of_its_version").await else { return };
    let found = format!("{}\n", database.psql(CATALOG));
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/schema-v4.txt");
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    if found != expected {
        let new = Path::new(env!("CARGO_TARGET_TMPDIR")).join("postgres-schema-v4.txt");
        fs::write(&new, &found).expect("writes");
        panic!("the schema of {} is now that of {}", golden.display(), new.display());
    }
}

/// The schema as the catalogue has it, in words that do not depend on the server's version.
const CATALOG: &str = "WITH here AS (SELECT oid FROM pg_namespace WHERE nspname = 'stroem'), lines(line) AS ( \
    SELECT format('column %s.%s %s%s%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), \
    CASE WHEN a.attnotnull THEN ' not null' ELSE '' END, CASE a.attstorage WHEN 'e' THEN ' external' ELSE '' END) \
    FROM pg_class c JOIN here h ON c.relnamespace = h.oid JOIN pg_attribute a ON a.attrelid = c.oid \
    WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped \
    UNION ALL SELECT format('table %s %s', c.relname, c.reloptions) FROM pg_class c \
    JOIN here h ON c.relnamespace = h.oid WHERE c.relkind = 'r' \
    UNION ALL SELECT 'sequence ' || c.relname FROM pg_class c JOIN here h ON c.relnamespace = h.oid WHERE relkind = 'S' \
    UNION ALL SELECT 'index ' || pg_get_indexdef(c.oid) FROM pg_class c JOIN here h ON c.relnamespace = h.oid \
    WHERE c.relkind = 'i' \
    UNION ALL SELECT 'trigger ' || pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid \
    JOIN here h ON c.relnamespace = h.oid WHERE NOT t.tgisinternal \
    UNION ALL SELECT format('function %s(%s) %s %s', p.proname, pg_get_function_identity_arguments(p.oid), \
    pg_get_function_result(p.oid), md5(p.prosrc)) FROM pg_proc p JOIN here h ON p.pronamespace = h.oid) \
    SELECT rtrim(line) FROM lines ORDER BY line COLLATE \"C\"";
