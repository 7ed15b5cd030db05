//! Blobs as rows: names, ages, and what nobody names any more. What they promise as a place for blobs is shown by the
//! application's tests.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use stroem_store::{BlobContent, BlobRow, BlobRows as _, ReplicaStore as _};
use stroem_store_postgres::PostgresStore;

use crate::support::{database, fresh, open};

async fn put(store: &PostgresStore, key: &str, text: &'static str) -> BlobContent {
    let content = store.begin_blob().await.expect("begins");
    store.put_part(content, 0, Bytes::from_static(text.as_bytes())).await.expect("writes");
    let blob = BlobRow { content, size_bytes: text.len() as u64 };
    store.name_blob(key, blob).await.expect("names");
    store.name_blob(key, blob).await.expect("named again it is the same");
    content
}

#[tokio::test]
async fn what_nobody_names_is_removed_after_its_time() {
    let Some((store, database)) = fresh("what_nobody_names_is_removed_after_its_time").await else { return };
    let first = put(&store, "a/b", "one").await;
    let second = put(&store, "a/b", "two").await;
    let half = store.begin_blob().await.expect("begins");
    store.put_part(half, 0, Bytes::from_static(b"half")).await.expect("writes");
    assert_eq!(store.remove_unnamed().await.expect("removes"), 0, "somebody may still read or write them");
    database.psql("UPDATE stroem.blob_unnamed SET since = now() - interval '61 minutes'");
    assert_eq!(store.remove_unnamed().await.expect("removes"), 2);
    assert_eq!(store.part(first, 0).await.expect("reads"), None);
    assert_eq!(store.part(second, 0).await.expect("reads").as_deref(), Some(&b"two"[..]));
    let late = store.name_blob("c", BlobRow { content: half, size_bytes: 4 }).await;
    assert!(late.is_err(), "its parts are gone");
    assert_eq!(store.blob("c").await.expect("reads"), None);
}

#[tokio::test]
async fn what_is_not_used_is_listed_by_its_age() {
    let Some((store, database)) = fresh("what_is_not_used_is_listed_by_its_age").await else { return };
    for key in ["t/1", "t/2", "t-else/3", "t0"] {
        put(&store, key, "x").await;
    }
    let hour = Duration::from_secs(3_600);
    let unused = async || store.unused_blobs("t", hour, 10).await.expect("lists");
    assert_eq!(unused().await, [""; 0]);
    database.psql("UPDATE stroem.blob SET used_at = now() - interval '61 minutes'");
    assert!(store.use_blob("t/1").await.expect("notes"));
    assert!(!store.use_blob("t/9").await.expect("notes"));
    assert_eq!(unused().await, ["t/2"]);
}

#[tokio::test]
async fn two_who_make_a_key_at_once_leave_nothing_behind() {
    let Some((store, database)) = fresh("two_who_make_a_key_at_once_leave_nothing_behind").await else {
        return;
    };
    join_all((0..8).map(|_| put(&store, "same", "x"))).await;
    assert_eq!(database.psql("SELECT count(*) FROM stroem.blob_unnamed"), "7");
    store.delete_blob("same").await.expect("deletes");
    assert_eq!(database.psql("SELECT count(*) FROM stroem.blob_unnamed"), "8");
}

#[tokio::test]
async fn servers_agree_on_what_the_first_one_said() {
    let Some(database) = database("servers_agree_on_what_the_first_one_said") else { return };
    let (one, other) = (open(&database).await, open(&database).await);
    assert_eq!(one.agree("key", "first").await.expect("agrees"), "first");
    assert_eq!(other.agree("key", "second").await.expect("agrees"), "first");
}
