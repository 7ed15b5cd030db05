//! An empty store in a directory of its own.

use stroem_store_sqlite::SqliteStore;
use tempfile::TempDir;

/// A new store, and the directory that it lives in.
pub(crate) async fn fresh() -> (SqliteStore, TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    (SqliteStore::open(dir.path()).expect("opens"), dir)
}
