//! Blobs part by part in a table of somebody else's: a database that several servers share.

use std::{fmt, ops::Range, path::Path, sync::Arc};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};
use tokio::{fs::File, io::AsyncReadExt as _};

use crate::{BlobError, BlobInfo, BlobKey, BlobStream};

/// Keys to ask for at once.
const LIST_PAGE: u32 = 500;

/// Why a table could not answer.
pub type TableError = Box<dyn std::error::Error + Send + Sync>;

/// A content under its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableBlob {
    /// The number.
    pub content: i64,
    /// Its size.
    pub size_bytes: u64,
}

/// A table of blobs. A content is written part by part and named when it is whole; a content that lost its name can be
/// read for long enough to finish what was begun.
#[async_trait]
pub trait BlobTable: Send + Sync {
    /// Bytes in each part but the last.
    fn part_bytes(&self) -> u64;
    /// Begins a content.
    async fn begin(&self) -> Result<i64, TableError>;
    /// Writes a part, counted from 0.
    async fn put_part(&self, content: i64, part: u64, bytes: Bytes) -> Result<(), TableError>;
    /// Gives a whole content its key; durable when it answers.
    async fn name(&self, key: &str, blob: TableBlob) -> Result<(), TableError>;
    /// The blob of a key.
    async fn find(&self, key: &str) -> Result<Option<TableBlob>, TableError>;
    /// A part of a content.
    async fn part(&self, content: i64, part: u64) -> Result<Option<Bytes>, TableError>;
    /// Notes that a blob is in use; false when there is none.
    async fn renew(&self, key: &str) -> Result<bool, TableError>;
    /// Takes a key away.
    async fn delete(&self, key: &str) -> Result<(), TableError>;
    /// Keys and sizes below a prefix after a key, in order.
    async fn list(
        &self,
        prefix: Option<&str>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<(String, u64)>, TableError>;
}

/// The table as a place for blobs.
#[derive(Clone)]
pub(crate) struct Table(pub(crate) Arc<dyn BlobTable>);

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Table")
    }
}

impl Table {
    pub(crate) async fn put(&self, key: &BlobKey, bytes: Bytes) -> Result<(), BlobError> {
        let fails = |error| failed("put", key, error);
        let (content, size_bytes) = (self.0.begin().await.map_err(fails)?, bytes.len() as u64);
        let part_bytes = usize::try_from(self.0.part_bytes()).unwrap_or(usize::MAX);
        let mut rest = bytes;
        let mut part = 0;
        while !rest.is_empty() {
            let piece = rest.split_to(part_bytes.min(rest.len()));
            self.0.put_part(content, part, piece).await.map_err(fails)?;
            part += 1;
        }
        self.0.name(key.as_str(), TableBlob { content, size_bytes }).await.map_err(fails)
    }

    pub(crate) async fn put_file(&self, key: &BlobKey, path: &Path) -> Result<(), BlobError> {
        let unreadable = |source| BlobError::File { path: path.to_owned(), source };
        let fails = |error| failed("put", key, error);
        let mut file = File::open(path).await.map_err(unreadable)?;
        let content = self.0.begin().await.map_err(fails)?;
        let (mut part, mut size_bytes) = (0, 0);
        loop {
            let mut piece = BytesMut::new();
            let mut rest = (&mut file).take(self.0.part_bytes());
            while rest.read_buf(&mut piece).await.map_err(unreadable)? > 0 {}
            if piece.is_empty() {
                break;
            }
            size_bytes += piece.len() as u64;
            self.0.put_part(content, part, piece.freeze()).await.map_err(fails)?;
            part += 1;
        }
        self.0.name(key.as_str(), TableBlob { content, size_bytes }).await.map_err(fails)
    }

    pub(crate) async fn find(&self, key: &BlobKey, operation: &'static str) -> Result<TableBlob, BlobError> {
        let found = self.0.find(key.as_str()).await.map_err(|error| failed(operation, key, error))?;
        found.ok_or_else(|| BlobError::NotFound { key: key.clone() })
    }

    /// Bytes of a range that lies within the blob.
    pub(crate) async fn get_range(
        &self,
        key: &BlobKey,
        blob: TableBlob,
        range: Range<u64>,
    ) -> Result<Bytes, BlobError> {
        let part_bytes = self.0.part_bytes();
        let mut bytes = BytesMut::new();
        let mut at = range.start;
        while at < range.end {
            let (part, skip) = (at / part_bytes, at % part_bytes);
            let piece = self.read_part(key, blob, part).await?;
            let end = (skip + range.end - at).min(piece.len() as u64);
            let places = usize::try_from(skip).ok().zip(usize::try_from(end).ok());
            let piece = places.and_then(|(skip, end)| piece.get(skip..end)).unwrap_or_default();
            if piece.is_empty() {
                return Err(failed("get", key, format!("part {part} is too short").into()));
            }
            bytes.extend_from_slice(piece);
            at += piece.len() as u64;
        }
        Ok(bytes.freeze())
    }

    pub(crate) fn stream(&self, key: &BlobKey, blob: TableBlob) -> BlobStream {
        let parts = blob.size_bytes.div_ceil(self.0.part_bytes());
        let (table, key) = (self.clone(), key.clone());
        let chunks = stream::iter(0..parts).then(move |part| {
            let (table, key) = (table.clone(), key.clone());
            async move { table.read_part(&key, blob, part).await }
        });
        BlobStream { size_bytes: blob.size_bytes, chunks: chunks.boxed() }
    }

    async fn read_part(&self, key: &BlobKey, blob: TableBlob, part: u64) -> Result<Bytes, BlobError> {
        let found = self.0.part(blob.content, part).await.map_err(|error| failed("get", key, error))?;
        found.ok_or_else(|| failed("get", key, format!("part {part} is missing").into()))
    }

    pub(crate) fn list(&self, prefix: Option<&BlobKey>) -> BoxStream<'static, Result<BlobInfo, BlobError>> {
        let prefix = prefix.map(BlobKey::to_string);
        let table = self.clone();
        let pages = stream::try_unfold(Some(String::new()), move |after| {
            let (table, prefix) = (table.clone(), prefix.clone());
            async move {
                let Some(after) = after else { return Ok(None) };
                let after = Some(after.as_str()).filter(|after| !after.is_empty());
                let page = table.0.list(prefix.as_deref(), after, LIST_PAGE).await;
                let page = page.map_err(|error| BlobError::Store {
                    operation: "list",
                    key: prefix.unwrap_or_default(),
                    source: generic(error),
                })?;
                let next = page.last().map(|(key, _)| key.clone());
                Ok(Some((stream::iter(page.into_iter().map(Ok)), next)))
            }
        });
        let infos = pages.try_flatten().try_filter_map(|(key, size_bytes)| async move {
            Ok(BlobKey::new(&key).ok().map(|key| BlobInfo { key, size_bytes }))
        });
        infos.boxed()
    }
}

pub(crate) fn failed(operation: &'static str, key: &BlobKey, error: TableError) -> BlobError {
    BlobError::Store { operation, key: key.to_string(), source: generic(error) }
}

fn generic(source: TableError) -> object_store::Error {
    object_store::Error::Generic { store: "the database", source }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        sync::{Mutex, PoisonError},
    };

    use super::*;
    use crate::{BlobStore, conformance};

    #[derive(Default)]
    struct Rows {
        names: BTreeMap<String, TableBlob>,
        parts: BTreeMap<(i64, u64), Bytes>,
        next: i64,
    }

    /// A table in memory that forgets nothing.
    #[derive(Default)]
    struct Memory(Mutex<Rows>);

    impl Memory {
        fn rows(&self) -> std::sync::MutexGuard<'_, Rows> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    #[async_trait]
    impl BlobTable for Memory {
        fn part_bytes(&self) -> u64 {
            1 << 20
        }
        async fn begin(&self) -> Result<i64, TableError> {
            let mut rows = self.rows();
            rows.next += 1;
            Ok(rows.next)
        }
        async fn put_part(&self, content: i64, part: u64, bytes: Bytes) -> Result<(), TableError> {
            self.rows().parts.insert((content, part), bytes);
            Ok(())
        }
        async fn name(&self, key: &str, blob: TableBlob) -> Result<(), TableError> {
            self.rows().names.insert(key.to_owned(), blob);
            Ok(())
        }
        async fn find(&self, key: &str) -> Result<Option<TableBlob>, TableError> {
            Ok(self.rows().names.get(key).copied())
        }
        async fn part(&self, content: i64, part: u64) -> Result<Option<Bytes>, TableError> {
            Ok(self.rows().parts.get(&(content, part)).cloned())
        }
        async fn renew(&self, key: &str) -> Result<bool, TableError> {
            Ok(self.rows().names.contains_key(key))
        }
        async fn delete(&self, key: &str) -> Result<(), TableError> {
            self.rows().names.remove(key);
            Ok(())
        }
        async fn list(
            &self,
            prefix: Option<&str>,
            after: Option<&str>,
            _limit: u32,
        ) -> Result<Vec<(String, u64)>, TableError> {
            let prefix = prefix.map(|prefix| format!("{prefix}/")).unwrap_or_default();
            let rows = self.rows();
            let below = rows.names.iter().filter(|(key, _)| key.starts_with(&prefix));
            let later = below.filter(|(key, _)| after.is_none_or(|after| key.as_str() > after));
            Ok(later.take(2).map(|(key, blob)| (key.clone(), blob.size_bytes)).collect())
        }
    }

    #[tokio::test]
    async fn a_table_passes_the_suite() {
        conformance::run(&BlobStore::in_table(Arc::new(Memory::default()))).await;
    }
}
