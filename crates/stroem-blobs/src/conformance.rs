//! The suite that every place for blobs must pass. It panics at the first difference, and leaves its blobs
//! behind only when it does.

use std::io::Write as _;

use bytes::Bytes;
use futures_util::{TryStreamExt as _, future};

use crate::{BlobError, BlobInfo, BlobKey, BlobStore};

/// Checks an empty store against the contract of [`BlobStore`].
///
/// # Panics
/// When the store breaks the contract.
pub async fn run(store: &BlobStore) {
    missing_blobs_are_typed(store).await;
    blobs_come_back_whole_and_in_ranges(store).await;
    writing_again_replaces(store).await;
    files_of_any_size_are_stored(store).await;
    lists_go_by_whole_segments(store).await;
    concurrent_writers_leave_one_whole_blob(store).await;
    assert_eq!(listed(store, None).await, [], "the suite cleans up");
}

async fn missing_blobs_are_typed(store: &BlobStore) {
    let key = key("none/here");
    assert!(store.get(&key).await.expect_err("get").is_not_found());
    assert!(store.get_range(&key, 0..1).await.expect_err("get_range").is_not_found());
    assert!(store.size(&key).await.expect_err("size").is_not_found());
    assert!(store.stream(&key).await.map(|_| ()).expect_err("stream").is_not_found());
    assert!(!store.exists(&key).await.expect("exists"));
    store.delete(&key).await.expect("deleting nothing is fine");
    let path = std::path::Path::new("/nonexistent/file");
    assert!(matches!(store.put_file(&key, path).await, Err(BlobError::File { .. })), "put_file");
    assert!(!store.exists(&key).await.expect("exists"));
}

async fn blobs_come_back_whole_and_in_ranges(store: &BlobStore) {
    let key = key("ranges/a.bin");
    for content in ["", "0123456789"] {
        store.put(&key, Bytes::from_static(content.as_bytes())).await.expect("puts");
        assert_eq!(store.get(&key).await.expect("gets"), content);
        assert_eq!(store.size(&key).await.expect("has a size"), content.len() as u64);
        assert_eq!(streamed(store, &key).await, content.as_bytes());
        assert!(store.exists(&key).await.expect("exists"));
    }
    for (range, expected) in
        [(0..10, "0123456789"), (0..1, "0"), (3..5, "34"), (9..99, "9"), (10..20, ""), (4..4, ""), (0..0, "")]
    {
        assert_eq!(store.get_range(&key, range.clone()).await.expect("in range"), expected, "{range:?}");
    }
    let error = store.get_range(&key, 11..12).await.expect_err("behind the end");
    assert!(matches!(error, BlobError::OutOfRange { start: 11, size_bytes: 10, .. }), "{error}");
    store.delete(&key).await.expect("deletes");
    store.delete(&key).await.expect("deletes twice");
    assert!(!store.exists(&key).await.expect("exists"));
}

async fn writing_again_replaces(store: &BlobStore) {
    let key = key("replaced");
    store.put(&key, Bytes::from_static(b"a longer first content")).await.expect("puts");
    let old = store.stream(&key).await.expect("opens");
    store.put(&key, Bytes::from_static(b"second")).await.expect("puts again");
    assert_eq!(store.get(&key).await.expect("gets"), "second");
    let old: Vec<Bytes> = old.chunks.try_collect().await.expect("an open stream keeps its blob");
    assert_eq!(old.concat(), b"a longer first content");
    store.delete(&key).await.expect("deletes");
}

/// Sizes around the part size of multipart uploads.
async fn files_of_any_size_are_stored(store: &BlobStore) {
    let key = key("files/upload");
    for size in [0, 1, (5 << 20) - 1, 5 << 20, (5 << 20) + 1, 23 << 20] {
        let content: Vec<u8> = (0..size).map(|i: usize| (i % 251) as u8).collect();
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(&content).expect("writes");
        store.put_file(&key, file.path()).await.expect("puts the file");
        assert_eq!(store.size(&key).await.expect("has a size"), size as u64);
        assert!(streamed(store, &key).await == content, "{size} bytes come back");
    }
    store.delete(&key).await.expect("deletes");
}

async fn lists_go_by_whole_segments(store: &BlobStore) {
    let keys = ["logs/a", "logs/deep/b", "logs-old/c", "tarballs/d"];
    for text in keys {
        store.put(&key(text), Bytes::from(text)).await.expect("puts");
    }
    for (prefix, expected) in [
        (None, &["logs-old/c", "logs/a", "logs/deep/b", "tarballs/d"][..]),
        (Some("logs"), &["logs/a", "logs/deep/b"]),
        (Some("logs/deep"), &["logs/deep/b"]),
        (Some("nothing"), &[]),
    ] {
        let infos: Vec<BlobInfo> =
            expected.iter().map(|text| BlobInfo { key: key(text), size_bytes: text.len() as u64 }).collect();
        assert_eq!(listed(store, prefix).await, infos, "{prefix:?}");
    }
    for text in keys {
        store.delete(&key(text)).await.expect("deletes");
    }
}

async fn concurrent_writers_leave_one_whole_blob(store: &BlobStore) {
    let key = key("contended");
    let content = |writer: u8| Bytes::from(vec![writer; 200_000]);
    for write in future::join_all((0..8).map(|writer| store.put(&key, content(writer)))).await {
        write.expect("puts");
    }
    let blob = store.get(&key).await.expect("is there");
    assert_eq!(blob, content(blob[0]), "one writer's content, whole");
    store.delete(&key).await.expect("deletes");
}

fn key(text: &str) -> BlobKey {
    BlobKey::new(text).expect("the suite uses good keys")
}

async fn streamed(store: &BlobStore, key: &BlobKey) -> Vec<u8> {
    let stream = store.stream(key).await.expect("opens");
    let chunks: Vec<Bytes> = stream.chunks.try_collect().await.expect("reads");
    let content = chunks.concat();
    assert_eq!(stream.size_bytes, content.len() as u64);
    content
}

async fn listed(store: &BlobStore, prefix: Option<&str>) -> Vec<BlobInfo> {
    let prefix = prefix.map(key);
    let mut infos: Vec<BlobInfo> = store.list(prefix.as_ref()).try_collect().await.expect("lists");
    infos.sort();
    infos
}
