//! The data directory: its files, and the lock that keeps a second server out.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use stroem_store::StoreError;

/// A locked data directory. The lock ends with this value, or with the process however that ends.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the directory when it is missing, and locks it.
    pub(crate) fn lock(path: &Path) -> Result<Self, StoreError> {
        let unusable = |error: std::io::Error| {
            StoreError::Unavailable(format!(
                "the data directory `{}` cannot be used: {error}",
                path.display()
            ))
        };
        // Jobs' inputs, outputs and logs are nobody else's business.
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("lock"))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Unavailable(format!(
                "the data directory `{}` is in use by another server",
                path.display()
            ))),
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }

    pub(crate) fn main_file(&self) -> PathBuf {
        self.path.join("stroem.db")
    }

    pub(crate) fn logs_file(&self) -> PathBuf {
        self.path.join("logs.db")
    }
}
