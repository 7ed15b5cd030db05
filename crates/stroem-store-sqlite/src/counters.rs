//! What the store did, counted for tests, benchmarks and metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers since the store was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Transactions that wrote something, over both files; each is one `fsync`.
    pub commits: u64,
    /// Operations that wrote something; many share a commit.
    pub operations: u64,
    /// Rows that commits of jobs read.
    pub rows_read: u64,
    /// Reads outside of commits.
    pub reads: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    commits: AtomicU64,
    operations: AtomicU64,
    rows_read: AtomicU64,
    reads: AtomicU64,
}

impl Counters {
    pub(crate) fn committed(&self, operations: u64) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.operations.fetch_add(operations, Ordering::Relaxed);
    }

    pub(crate) fn rows_read(&self, rows: u64) {
        self.rows_read.fetch_add(rows, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Statistics {
        Statistics {
            commits: self.commits.load(Ordering::Relaxed),
            operations: self.operations.load(Ordering::Relaxed),
            rows_read: self.rows_read.load(Ordering::Relaxed),
            reads: self.reads.load(Ordering::Relaxed),
        }
    }
}
