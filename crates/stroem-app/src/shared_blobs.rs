//! The store's rows as a place for blobs, and what an earlier server kept in its own directory.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use stroem_blobs::{BlobError, BlobStore, BlobTable, TableBlob, TableError};
use stroem_store::{BLOB_PART_BYTES, BlobContent, BlobRow, ReplicaStore};

/// Blobs in the rows of a store.
pub(crate) fn of(store: Arc<dyn ReplicaStore>) -> BlobStore {
    BlobStore::in_table(Arc::new(Rows(store)))
}

/// Moves what lies in a directory into the shared place; answers how many blobs that were. After a crash it goes on.
pub(crate) async fn take_over(dir: &Path, shared: &BlobStore) -> Result<u64, BlobError> {
    if !dir.is_dir() {
        return Ok(0);
    }
    let local = BlobStore::local(dir)?;
    let mut blobs = local.list(None);
    let mut moved = 0;
    while let Some(blob) = blobs.try_next().await? {
        shared.put_file(&blob.key, &dir.join(blob.key.as_str())).await?;
        local.delete(&blob.key).await?;
        moved += 1;
    }
    Ok(moved)
}

struct Rows(Arc<dyn ReplicaStore>);

#[async_trait]
impl BlobTable for Rows {
    fn part_bytes(&self) -> u64 {
        BLOB_PART_BYTES
    }

    async fn begin(&self) -> Result<i64, TableError> {
        Ok(self.0.begin_blob().await?.0)
    }

    async fn put_part(&self, content: i64, part: u64, bytes: Bytes) -> Result<(), TableError> {
        Ok(self.0.put_part(BlobContent(content), part, bytes).await?)
    }

    async fn name(&self, key: &str, blob: TableBlob) -> Result<(), TableError> {
        let row = BlobRow { content: BlobContent(blob.content), size_bytes: blob.size_bytes };
        Ok(self.0.name_blob(key, row).await?)
    }

    async fn find(&self, key: &str) -> Result<Option<TableBlob>, TableError> {
        let found = self.0.blob(key).await?;
        Ok(found.map(|row| TableBlob { content: row.content.0, size_bytes: row.size_bytes }))
    }

    async fn part(&self, content: i64, part: u64) -> Result<Option<Bytes>, TableError> {
        Ok(self.0.part(BlobContent(content), part).await?)
    }

    async fn renew(&self, key: &str) -> Result<bool, TableError> {
        Ok(self.0.use_blob(key).await?)
    }

    async fn delete(&self, key: &str) -> Result<(), TableError> {
        Ok(self.0.delete_blob(key).await?)
    }

    async fn list(
        &self,
        prefix: Option<&str>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<(String, u64)>, TableError> {
        Ok(self.0.blobs(prefix, after, limit).await?)
    }
}

#[cfg(test)]
mod tests {
    use stroem_blobs::{BlobKey, conformance};
    use stroem_store_postgres::{Options, PostgresStore};
    use stroem_testkit::postgres;

    use super::*;

    #[tokio::test]
    async fn blobs_in_the_database_pass_the_suite() {
        let database = match postgres::shared() {
            Ok(server) => server.database(),
            Err(missing) => {
                return stroem_testkit::skip("blobs_in_the_database_pass_the_suite", &missing.0);
            }
        };
        let store = PostgresStore::open(&database.url(), Options::default()).await.expect("a store");
        let shared = of(Arc::new(store));
        conformance::run(&shared).await;

        let dir = tempfile::tempdir().expect("a directory");
        let key = BlobKey::new("logs/a").expect("a key");
        let local = BlobStore::local(dir.path()).expect("opens");
        local.put(&key, Bytes::from_static(b"from before")).await.expect("puts");
        assert_eq!(take_over(dir.path(), &shared).await.expect("moves"), 1);
        assert_eq!(shared.get(&key).await.expect("is there"), "from before");
        assert!(!local.exists(&key).await.expect("looks"));
        assert_eq!(take_over(dir.path(), &shared).await.expect("moves"), 0);
    }
}
