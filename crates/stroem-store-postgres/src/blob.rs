//! Blobs part by part, in tables of their own, with the database's clock for their ages.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use stroem_store::{BlobContent, BlobRow, BlobRows, StoreError, UNNAMED_KEPT};

use crate::{
    PostgresStore,
    codec::count,
    connection::{Request, Value, values},
};

#[async_trait]
impl BlobRows for PostgresStore {
    async fn begin_blob(&self) -> Result<BlobContent, StoreError> {
        // Begun twice, one content stays without a name and is removed.
        let sql = "INSERT INTO blob_unnamed (content) VALUES (nextval('blob_content')) RETURNING content";
        let content = self.write_one(sql, Vec::new).await?;
        content.map(BlobContent).ok_or_else(|| StoreError::Internal("no row came back".to_owned()))
    }

    async fn put_part(&self, content: BlobContent, part: u64, bytes: Bytes) -> Result<(), StoreError> {
        let sql = "INSERT INTO blob_part (content, part, bytes) VALUES ($1, $2, $3) \
                   ON CONFLICT (content, part) DO UPDATE SET bytes = excluded.bytes";
        let part = count(part)?;
        self.write_one(sql, move || values![content.0, part, bytes.to_vec()]).await?;
        Ok(())
    }

    async fn name_blob(&self, key: &str, blob: BlobRow) -> Result<(), StoreError> {
        let (key, size) = (key.to_owned(), count(blob.size_bytes)?);
        let sql = "SELECT 1::bigint WHERE name_blob($1, $2, $3)";
        let named = self.write_one(sql, move || values![key.clone(), blob.content.0, size]).await?;
        named.map(drop).ok_or_else(|| {
            let secs = UNNAMED_KEPT.as_secs();
            StoreError::Unavailable(format!("the blob took longer than {secs} s to write"))
        })
    }

    async fn blob(&self, key: &str) -> Result<Option<BlobRow>, StoreError> {
        let question = "SELECT content, size_bytes FROM blob WHERE key = $1";
        let read = self.inner.read(question, values![key.to_owned()], |columns| {
            Ok(BlobRow { content: BlobContent(columns.value()?), size_bytes: columns.count()? })
        });
        Ok(read.await?.pop())
    }

    async fn part(&self, content: BlobContent, part: u64) -> Result<Option<Bytes>, StoreError> {
        let question = "SELECT bytes FROM blob_part WHERE content = $1 AND part = $2";
        let read = self.inner.read(question, values![content.0, count(part)?], |columns| {
            Ok(Bytes::from(columns.value::<Vec<u8>>()?))
        });
        Ok(read.await?.pop())
    }

    async fn use_blob(&self, key: &str) -> Result<bool, StoreError> {
        let key = key.to_owned();
        let sql = "UPDATE blob SET used_at = now() WHERE key = $1 RETURNING 1::bigint";
        Ok(self.write_one(sql, move || values![key.clone()]).await?.is_some())
    }

    async fn delete_blob(&self, key: &str) -> Result<(), StoreError> {
        let key = key.to_owned();
        let sql = "WITH gone AS (DELETE FROM blob WHERE key = $1 RETURNING content) \
                   INSERT INTO blob_unnamed (content) SELECT content FROM gone";
        self.write_one(sql, move || values![key.clone()]).await?;
        Ok(())
    }

    async fn blobs(
        &self,
        prefix: Option<&str>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<(String, u64)>, StoreError> {
        let (from, until) = bounds(prefix);
        let from = after.map_or(from.clone(), |after| from.max(after.to_owned()));
        let question = "SELECT key, size_bytes FROM blob WHERE key > $1 AND key < $2 ORDER BY key LIMIT $3";
        let values = values![from, until, i64::from(limit)];
        self.inner.read(question, values, |columns| Ok((columns.value()?, columns.count()?))).await
    }

    async fn unused_blobs(
        &self,
        prefix: &str,
        unused_for: Duration,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let (from, until) = bounds(Some(prefix));
        let question = "SELECT key FROM blob WHERE key > $1 AND key < $2 \
                        AND used_at < now() - make_interval(secs => $3) ORDER BY key LIMIT $4";
        let values = values![from, until, unused_for.as_secs_f64(), i64::from(limit)];
        self.inner.read(question, values, |columns| columns.value()).await
    }

    async fn remove_unnamed(&self) -> Result<u64, StoreError> {
        let sql = "WITH old AS (DELETE FROM blob_unnamed WHERE since < now() - make_interval(secs => $1) \
                   RETURNING content), removed AS (DELETE FROM blob_part p USING old WHERE p.content = old.content \
                   RETURNING 1) SELECT count(*) FROM removed";
        let removed = self.write_one(sql, move || values![UNNAMED_KEPT.as_secs_f64()]).await?;
        Ok(removed.and_then(|removed| u64::try_from(removed).ok()).unwrap_or(0))
    }
}

impl PostgresStore {
    /// One statement that may be run again without harm; the number in the first row of its answer, if there is one.
    pub(crate) async fn write_one<F>(&self, sql: &'static str, values: F) -> Result<Option<i64>, StoreError>
    where
        F: Fn() -> Vec<Value<'static>> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        self.write(async move {
            let request = [Request::new(sql, values())];
            let answers = inner.pool.fly(&request).await?;
            inner.committed();
            Ok(answers.first().and_then(|rows| rows.first()).map(|row| row.try_get(0)).transpose()?)
        })
        .await
    }
}

/// Between which texts the keys below a prefix are; all keys without one. Keys are ASCII, and `0` follows `/`.
fn bounds(prefix: Option<&str>) -> (String, String) {
    match prefix {
        Some(prefix) => (format!("{prefix}/"), format!("{prefix}0")),
        None => (String::new(), "\u{10ffff}".to_owned()),
    }
}
