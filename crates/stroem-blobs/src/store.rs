//! The handle to the place where blobs live.

use std::{ops::Range, path::Path, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, future, stream::BoxStream};
use object_store::{
    ObjectStore, ObjectStoreExt as _, PutPayload, local::LocalFileSystem, path::Path as ObjectPath,
};

use crate::{
    BlobError, BlobKey, BlobTable,
    table::{Table, failed},
    upload,
};

/// A place for blobs. Clones share it.
///
/// - A blob appears whole or not at all: readers never see half of a write, and a write that fails or whose
///   process dies leaves the older blob, or none. Writing a key again replaces the blob.
/// - What `put` and `put_file` acknowledged survives a crash of the machine.
/// - All operations may run concurrently. Dropping the future of a write may or may not store the blob.
#[derive(Debug, Clone)]
pub struct BlobStore {
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Objects(Arc<dyn ObjectStore>),
    Table(Table),
}

/// A blob's key and size, as listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlobInfo {
    /// The key.
    pub key: BlobKey,
    /// The size in bytes.
    pub size_bytes: u64,
}

/// A blob that is read piece by piece.
pub struct BlobStream {
    /// The size of the whole blob in bytes.
    pub size_bytes: u64,
    /// The pieces in order; after an error nothing more comes.
    pub chunks: BoxStream<'static, Result<Bytes, BlobError>>,
}

impl BlobStore {
    /// Blobs as files under `dir`, which is created when it is missing. Writes are synced to the disk.
    ///
    /// # Errors
    /// [`BlobError::File`] when the directory cannot be created or opened.
    pub fn local(dir: &Path) -> Result<Self, BlobError> {
        let fails = |source| BlobError::File { path: dir.to_owned(), source };
        std::fs::create_dir_all(dir).map_err(fails)?;
        let files =
            LocalFileSystem::new_with_prefix(dir).map_err(|error| fails(std::io::Error::other(error)))?;
        Ok(Self::new(Arc::new(files.with_fsync(true))))
    }

    /// Blobs in any object store; `object_store::prefix::PrefixStore` makes one share a bucket.
    pub fn new(objects: Arc<dyn ObjectStore>) -> Self {
        Self { place: Place::Objects(objects) }
    }

    /// Blobs in a table.
    pub fn in_table(table: Arc<dyn BlobTable>) -> Self {
        Self { place: Place::Table(Table(table)) }
    }

    /// Stores a blob from memory.
    ///
    /// # Errors
    /// [`BlobError::Store`].
    pub async fn put(&self, key: &BlobKey, bytes: Bytes) -> Result<(), BlobError> {
        let objects = match &self.place {
            Place::Objects(objects) => objects,
            Place::Table(table) => return table.put(key, bytes).await,
        };
        let stored = objects.put(&object_path(key), PutPayload::from_bytes(bytes)).await;
        stored.map(|_| ()).map_err(|error| BlobError::from_store("put", key, error))
    }

    /// Stores the content of a local file, a few MiB at a time.
    ///
    /// # Errors
    /// [`BlobError::File`] when the file cannot be read, [`BlobError::Store`].
    pub async fn put_file(&self, key: &BlobKey, path: &Path) -> Result<(), BlobError> {
        match &self.place {
            Place::Objects(objects) => upload::put_file(self, &**objects, key, path).await,
            Place::Table(table) => table.put_file(key, path).await,
        }
    }

    /// The whole blob; for blobs that are known to be small, see [`Self::stream`].
    ///
    /// # Errors
    /// [`BlobError::NotFound`], [`BlobError::Store`].
    pub async fn get(&self, key: &BlobKey) -> Result<Bytes, BlobError> {
        let fails = |error| BlobError::from_store("get", key, error);
        match &self.place {
            Place::Objects(objects) => {
                objects.get(&object_path(key)).await.map_err(fails)?.bytes().await.map_err(fails)
            }
            Place::Table(table) => {
                let blob = table.find(key, "get").await?;
                table.get_range(key, blob, 0..blob.size_bytes).await
            }
        }
    }

    /// Some bytes of a blob. The end of the range is cut to the blob's size; an empty range that starts at or
    /// before the end is empty.
    ///
    /// # Errors
    /// [`BlobError::NotFound`], [`BlobError::OutOfRange`] when the range starts behind the end,
    /// [`BlobError::Store`].
    pub async fn get_range(&self, key: &BlobKey, range: Range<u64>) -> Result<Bytes, BlobError> {
        match &self.place {
            Place::Objects(objects) => {
                let Some(range) = inside(key, range, self.size(key).await?)? else { return Ok(Bytes::new()) };
                let read = objects.get_range(&object_path(key), range).await;
                read.map_err(|error| BlobError::from_store("get", key, error))
            }
            Place::Table(table) => {
                let blob = table.find(key, "get").await?;
                let Some(range) = inside(key, range, blob.size_bytes)? else { return Ok(Bytes::new()) };
                table.get_range(key, blob, range).await
            }
        }
    }

    /// The size of a blob in bytes.
    ///
    /// # Errors
    /// [`BlobError::NotFound`], [`BlobError::Store`].
    pub async fn size(&self, key: &BlobKey) -> Result<u64, BlobError> {
        let objects = match &self.place {
            Place::Objects(objects) => objects,
            Place::Table(table) => return Ok(table.find(key, "size").await?.size_bytes),
        };
        let head = objects.head(&object_path(key)).await;
        head.map(|meta| meta.size).map_err(|error| BlobError::from_store("size", key, error))
    }

    /// Whether there is a blob under this key.
    ///
    /// # Errors
    /// [`BlobError::Store`].
    pub async fn exists(&self, key: &BlobKey) -> Result<bool, BlobError> {
        match self.size(key).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The blob piece by piece, without holding it in memory.
    ///
    /// # Errors
    /// [`BlobError::NotFound`], [`BlobError::Store`]; the pieces fail with [`BlobError::Store`].
    pub async fn stream(&self, key: &BlobKey) -> Result<BlobStream, BlobError> {
        let objects = match &self.place {
            Place::Objects(objects) => objects,
            Place::Table(table) => return Ok(table.stream(key, table.find(key, "get").await?)),
        };
        let found = objects.get(&object_path(key)).await;
        let found = found.map_err(|error| BlobError::from_store("get", key, error))?;
        let size_bytes = found.meta.size;
        let key = key.clone();
        let chunks = found.into_stream().map_err(move |error| BlobError::from_store("get", &key, error));
        Ok(BlobStream { size_bytes, chunks: chunks.boxed() })
    }

    /// Notes that a blob is in use, so that nobody removes it as unused. False when it is not there, or when its place keeps
    /// no such notes: then it is to be stored again.
    ///
    /// # Errors
    /// [`BlobError::Store`].
    pub async fn renew(&self, key: &BlobKey) -> Result<bool, BlobError> {
        match &self.place {
            Place::Objects(_) => Ok(false),
            Place::Table(table) => {
                let renewed = table.0.renew(key.as_str()).await;
                renewed.map_err(|error| failed("renew", key, error))
            }
        }
    }

    /// Removes a blob. A blob that does not exist is removed already.
    ///
    /// # Errors
    /// [`BlobError::Store`].
    pub async fn delete(&self, key: &BlobKey) -> Result<(), BlobError> {
        let objects = match &self.place {
            Place::Objects(objects) => objects,
            Place::Table(table) => {
                let deleted = table.0.delete(key.as_str()).await;
                return deleted.map_err(|error| failed("delete", key, error));
            }
        };
        match objects.delete(&object_path(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(BlobError::from_store("delete", key, error)),
        }
    }

    /// The blobs below `prefix` (whole segments: `logs` has `logs/a`, not `logs-old/a`), or all, in no order.
    /// Objects whose names are not keys are not ours and are left out.
    pub fn list(&self, prefix: Option<&BlobKey>) -> BoxStream<'static, Result<BlobInfo, BlobError>> {
        let objects = match &self.place {
            Place::Objects(objects) => objects,
            Place::Table(table) => return table.list(prefix),
        };
        let text = prefix.map(BlobKey::to_string).unwrap_or_default();
        let found = objects.list(prefix.map(object_path).as_ref());
        found
            .filter_map(move |entry| {
                let info = match entry {
                    Ok(meta) => BlobKey::new(meta.location.as_ref())
                        .ok()
                        .map(|key| Ok(BlobInfo { key, size_bytes: meta.size })),
                    // Something disappeared while it was listed.
                    Err(object_store::Error::NotFound { .. }) => None,
                    Err(source) => {
                        Some(Err(BlobError::Store { operation: "list", key: text.clone(), source }))
                    }
                };
                future::ready(info)
            })
            .boxed()
    }
}

/// The part of a range that lies within a blob; none when it is empty.
fn inside(key: &BlobKey, range: Range<u64>, size_bytes: u64) -> Result<Option<Range<u64>>, BlobError> {
    if range.start > size_bytes {
        return Err(BlobError::OutOfRange { key: key.clone(), start: range.start, size_bytes });
    }
    let range = range.start..range.end.min(size_bytes);
    Ok((!range.is_empty()).then_some(range))
}

pub(crate) fn object_path(key: &BlobKey) -> ObjectPath {
    ObjectPath::from(key.as_str())
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;
    use crate::conformance;

    #[tokio::test]
    async fn a_local_directory_passes_the_suite() {
        let dir = tempfile::tempdir().expect("a directory");
        conformance::run(&BlobStore::local(&dir.path().join("blobs/here")).expect("opens")).await;
    }

    #[tokio::test]
    async fn memory_passes_the_suite() {
        conformance::run(&BlobStore::new(Arc::new(InMemory::new()))).await;
    }

    #[tokio::test]
    async fn local_blobs_outlive_the_handle_and_leave_no_staging_files() {
        let dir = tempfile::tempdir().expect("a directory");
        let key = BlobKey::new("a/b").expect("a key");
        let store = BlobStore::local(dir.path()).expect("opens");
        store.put(&key, Bytes::from_static(b"one")).await.expect("puts");
        drop(store);
        let store = BlobStore::local(dir.path()).expect("opens again");
        assert_eq!(store.get(&key).await.expect("is there"), "one");
        let files = std::fs::read_dir(dir.path().join("a")).expect("lists").count();
        assert_eq!(files, 1);
    }

    #[tokio::test]
    async fn files_that_are_not_keys_are_not_listed() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = BlobStore::local(dir.path()).expect("opens");
        std::fs::write(dir.path().join("not a key"), "x").expect("writes");
        std::fs::write(dir.path().join("key"), "x").expect("writes");
        let listed: Vec<BlobInfo> = store.list(None).try_collect().await.expect("lists");
        assert_eq!(listed, [BlobInfo { key: BlobKey::new("key").expect("a key"), size_bytes: 1 }]);
    }

    #[tokio::test]
    async fn a_directory_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let error = BlobStore::local(&file.path().join("below")).expect_err("a file is in the way");
        assert!(matches!(error, BlobError::File { path, .. } if path.ends_with("below")));
    }
}
