//! What can go wrong with a blob, by what the caller can do about it.

use std::{io, path::PathBuf};

use crate::BlobKey;

/// Why an operation on a blob failed.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is no blob under this key.
    #[error("there is no blob `{key}`")]
    NotFound {
        /// The key that was asked for.
        key: BlobKey,
    },
    /// The range starts behind the end of the blob.
    #[error("blob `{key}` has {size_bytes} bytes, a range cannot start at {start}")]
    OutOfRange {
        /// The blob.
        key: BlobKey,
        /// The first byte that was asked for.
        start: u64,
        /// The blob's size.
        size_bytes: u64,
    },
    /// A local file or directory could not be used.
    #[error("cannot read or create `{}`", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The store failed; trying again later may work.
    #[error("the blob store failed to {operation} `{key}`")]
    Store {
        /// `put`, `get`, `size`, `delete` or `list`.
        operation: &'static str,
        /// The key or the prefix.
        key: String,
        /// What the store said.
        #[source]
        source: object_store::Error,
    },
}

impl BlobError {
    /// Whether the blob does not exist.
    pub const fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    pub(crate) fn from_store(operation: &'static str, key: &BlobKey, source: object_store::Error) -> Self {
        match source {
            object_store::Error::NotFound { .. } => Self::NotFound { key: key.clone() },
            source => Self::Store { operation, key: key.to_string(), source },
        }
    }
}
