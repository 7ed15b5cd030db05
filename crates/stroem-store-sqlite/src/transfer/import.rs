//! Writes a data directory that no server uses: one transaction for each of its two files.
//!
//! Logs are committed first. Without their jobs they are what an aborted copy left, and the next one clears them.

use std::path::Path;

use async_trait::async_trait;
use rusqlite::{
    Connection, params_from_iter,
    types::{ToSqlOutput, Value, ValueRef},
};
use stroem_store::{
    StoreError,
    transfer::{Cell, Import, Row, Table},
};

use super::{LOG_TABLES, column_list, count_sql, is_log};
use crate::{connection, data_dir::DataDir, failure::Outcome, migrations, store::Durability};

/// Memory for pages of a connection.
const CACHE_KIB: u32 = 8_192;

/// A data directory to write. Its lock keeps servers out.
pub struct SqliteImport {
    main: Connection,
    logs: Connection,
    _dir: DataDir,
}

impl SqliteImport {
    /// Opens a data directory, made when it is missing.
    ///
    /// # Errors
    /// As [`crate::SqliteStore::open`].
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let dir = DataDir::lock(dir)?;
        let main = begin(&dir.main_file(), migrations::MAIN)?;
        let logs = begin(&dir.logs_file(), migrations::LOGS)?;
        clear_left_logs(&main, &logs)?;
        Ok(Self { main, logs, _dir: dir })
    }

    fn of(&self, table: &Table) -> &Connection {
        if is_log(table) { &self.logs } else { &self.main }
    }
}

fn begin(file: &Path, migrations: &[&str]) -> Outcome<Connection> {
    let mut connection = connection::writing(file, Durability::Full, CACHE_KIB)?;
    migrations::migrate(&mut connection, file, migrations)?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    Ok(connection)
}

/// Logs without any job.
fn clear_left_logs(main: &Connection, logs: &Connection) -> Outcome<()> {
    let empty: bool = main.query_row("SELECT NOT EXISTS (SELECT 1 FROM job)", [], |row| row.get(0))?;
    if empty {
        for table in LOG_TABLES {
            logs.execute(&format!("DELETE FROM {table}"), [])?;
        }
    }
    Ok(())
}

// SQLite waits for nobody but the disk here, and nothing else happens in the meantime.
#[async_trait]
impl Import for SqliteImport {
    async fn count(&mut self, table: &'static Table) -> Result<u64, StoreError> {
        Ok(count(self.of(table), table)?)
    }

    async fn write(&mut self, table: &'static Table, rows: Vec<Row>) -> Result<(), StoreError> {
        Ok(write(self.of(table), table, &rows)?)
    }

    async fn finish(self: Box<Self>, last_fence: i64) -> Result<(), StoreError> {
        Ok(commit(&self.main, &self.logs, last_fence)?)
    }
}

fn count(connection: &Connection, table: &Table) -> Outcome<u64> {
    Ok(connection.query_row(&count_sql(table), [], |row| row.get::<_, i64>(0))?.cast_unsigned())
}

fn write(connection: &Connection, table: &Table, rows: &[Row]) -> Outcome<()> {
    let places = vec!["?"; table.columns.len()].join(", ");
    let sql = format!("INSERT INTO {} ({}) VALUES ({places})", table.name, column_list(table));
    let mut statement = connection.prepare_cached(&sql)?;
    for row in rows {
        statement.execute(params_from_iter(row.iter().map(value)))?;
    }
    Ok(())
}

fn value(cell: &Cell) -> ToSqlOutput<'_> {
    match cell {
        Cell::Null => ToSqlOutput::Owned(Value::Null),
        Cell::Id(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        Cell::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        Cell::Integer(number) => ToSqlOutput::Owned(Value::Integer(*number)),
        Cell::Flag(flag) => ToSqlOutput::Owned(Value::Integer(i64::from(*flag))),
        Cell::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
    }
}

fn commit(main: &Connection, logs: &Connection, last_fence: i64) -> Outcome<()> {
    main.execute("UPDATE fence SET last = ?", [last_fence])?;
    logs.execute_batch("COMMIT")?;
    main.execute_batch("COMMIT")?;
    Ok(())
}
