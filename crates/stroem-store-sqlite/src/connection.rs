//! Connections and their settings.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags};

use crate::{failure::Outcome, store::Durability};

/// Pages that the write-ahead log may grow to before a commit moves them into the database file: 16 MiB.
const CHECKPOINT_PAGES: i64 = 4_096;
/// Statements that a connection keeps prepared.
const STATEMENTS: usize = 96;
/// How long to wait for a lock, which only a foreign program can hold.
const BUSY: Duration = Duration::from_secs(5);

/// The one connection that writes a file.
pub(crate) fn writing(file: &Path, durability: Durability, cache_kib: u32) -> Outcome<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    let synchronous = match durability {
        Durability::Full => "full",
        Durability::UntilPowerLoss => "off",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", CHECKPOINT_PAGES, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", CHECKPOINT_PAGES * 4_096, |_| Ok(()))?;
    common(&connection, cache_kib)?;
    Ok(connection)
}

/// A connection that only reads. The file exists, and its writer is open.
pub(crate) fn reading(file: &Path, cache_kib: u32) -> Outcome<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(BUSY)?;
    common(&connection, cache_kib)?;
    Ok(connection)
}

fn common(connection: &Connection, cache_kib: u32) -> Outcome<()> {
    connection.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}
