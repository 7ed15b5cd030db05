//! What the store did, counted for tests, benchmarks and metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers since the store was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Transactions that wrote something.
    pub commits: u64,
    /// Round trips of operations. Statements that go to the server together are one. Opening connections, preparing
    /// statements (once for each connection) and the hints' own connection are not counted here.
    pub round_trips: u64,
    /// Statements that were prepared, each once for each connection.
    pub prepared: u64,
    /// Rows that commits of jobs read.
    pub rows_read: u64,
    /// Connections opened for operations.
    pub connections: u64,
    /// Commits whose connection broke before the answer, and of which the database told afterwards what became of them.
    pub resolved: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    commits: AtomicU64,
    round_trips: AtomicU64,
    prepared: AtomicU64,
    rows_read: AtomicU64,
    connections: AtomicU64,
    resolved: AtomicU64,
}

impl Counters {
    /// Counts a commit; answers how many there were before it.
    pub(crate) fn committed(&self) -> u64 {
        self.commits.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn round_trip(&self) {
        self.round_trips.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn prepared(&self) {
        self.prepared.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn rows_read(&self, rows: u64) {
        self.rows_read.fetch_add(rows, Ordering::Relaxed);
    }

    pub(crate) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn resolved(&self) {
        self.resolved.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Statistics {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Statistics {
            commits: read(&self.commits),
            round_trips: read(&self.round_trips),
            prepared: read(&self.prepared),
            rows_read: read(&self.rows_read),
            connections: read(&self.connections),
            resolved: read(&self.resolved),
        }
    }
}
