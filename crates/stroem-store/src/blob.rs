//! Blobs as rows, for servers that share nothing but the store. What the bytes mean is not the store's business.
//!
//! A blob's content is written part by part under a number of its own, and gets its key when it is whole. Content that no
//! key names any more stays for [`UNNAMED_KEPT`], since somebody may still read it; so does what a crash left half written.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::StoreError;

/// Bytes in each part but the last.
pub const BLOB_PART_BYTES: u64 = 1 << 20;

/// How long content stays that no key names: the time to write a blob, and to read one that is replaced.
pub const UNNAMED_KEPT: Duration = Duration::from_secs(3_600);

/// The number of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlobContent(pub i64);

/// A blob that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobRow {
    /// Its content.
    pub content: BlobContent,
    /// How many bytes it has.
    pub size_bytes: u64,
}

/// Blobs in the store.
#[async_trait]
pub trait BlobRows: Send + Sync {
    /// Begins a content.
    async fn begin_blob(&self) -> Result<BlobContent, StoreError>;

    /// Writes a part of a content that has no name yet, counted from 0. Written again it is replaced.
    async fn put_part(&self, content: BlobContent, part: u64, bytes: Bytes) -> Result<(), StoreError>;

    /// Gives a whole content its key, which names no other one any more, in one transaction. Doing it again changes nothing.
    /// [`StoreError::Unavailable`] when the writing took longer than [`UNNAMED_KEPT`].
    async fn name_blob(&self, key: &str, blob: BlobRow) -> Result<(), StoreError>;

    /// The blob of a key.
    async fn blob(&self, key: &str) -> Result<Option<BlobRow>, StoreError>;

    /// A part of a content; none behind its end, and when it is gone.
    async fn part(&self, content: BlobContent, part: u64) -> Result<Option<Bytes>, StoreError>;

    /// Notes that a blob is in use now; false when there is none.
    async fn use_blob(&self, key: &str) -> Result<bool, StoreError>;

    /// Takes a key away; one that does not exist is none.
    async fn delete_blob(&self, key: &str) -> Result<(), StoreError>;

    /// Keys and sizes in order of the keys: those below `prefix` as whole segments, or all; after a key, at most `limit`.
    async fn blobs(
        &self,
        prefix: Option<&str>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<(String, u64)>, StoreError>;

    /// Keys below a prefix that were neither made nor used for so long, at most `limit`.
    async fn unused_blobs(
        &self,
        prefix: &str,
        unused_for: Duration,
        limit: u32,
    ) -> Result<Vec<String>, StoreError>;

    /// Removes content that no key names for [`UNNAMED_KEPT`]; answers how many parts that were.
    async fn remove_unnamed(&self) -> Result<u64, StoreError>;
}
