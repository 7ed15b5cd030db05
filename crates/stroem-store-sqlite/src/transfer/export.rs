//! Reads a data directory that no server uses.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::types::ValueRef;
use stroem_store::{
    StoreError,
    transfer::{BATCH_BYTES, BATCH_ROWS, Cell, Column, Export, Kind, Row, Table},
};
use tokio::sync::mpsc;

use super::{column_list, count_sql, is_log};
use crate::{
    connection,
    data_dir::DataDir,
    failure::{Failure, Outcome},
    migrations,
    store::Durability,
};

/// Memory for pages of a connection.
const CACHE_KIB: u32 = 4_096;
/// Batches that wait to be taken.
const BATCHES_AHEAD: usize = 2;

/// A data directory to read. Its lock keeps servers out.
pub struct SqliteExport {
    dir: DataDir,
    batches: Option<mpsc::Receiver<Result<Vec<Row>, StoreError>>>,
}

impl SqliteExport {
    /// Opens a data directory, and brings its files to this build's version.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there is no store, or a server uses it; [`StoreError::Corrupt`] when it cannot be
    /// read or was written by a newer version.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        if !dir.join("stroem.db").is_file() {
            return Err(StoreError::Unavailable(format!("there is no `stroem.db` in `{}`", dir.display())));
        }
        let dir = DataDir::lock(dir)?;
        for (file, migrations) in [(dir.main_file(), migrations::MAIN), (dir.logs_file(), migrations::LOGS)] {
            let mut connection = connection::writing(&file, Durability::Full, CACHE_KIB)?;
            migrations::migrate(&mut connection, &file, migrations)?;
        }
        Ok(Self { dir, batches: None })
    }

    fn file(&self, table: &Table) -> PathBuf {
        if is_log(table) { self.dir.logs_file() } else { self.dir.main_file() }
    }
}

#[async_trait]
impl Export for SqliteExport {
    async fn count(&mut self, table: &'static Table) -> Result<u64, StoreError> {
        number(&self.file(table), count_sql(table)).await.map(i64::cast_unsigned)
    }

    async fn open(&mut self, table: &'static Table) -> Result<(), StoreError> {
        let file = self.file(table);
        let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
        // It ends with the receiver, which the next table replaces.
        tokio::task::spawn_blocking(move || {
            if let Err(failure) = read(&file, table, &sender) {
                let _nobody_waits = sender.blocking_send(Err(failure.into()));
            }
        });
        self.batches = Some(receiver);
        Ok(())
    }

    async fn next(&mut self) -> Result<Vec<Row>, StoreError> {
        match &mut self.batches {
            Some(batches) => batches.recv().await.unwrap_or_else(|| Ok(Vec::new())),
            None => Ok(Vec::new()),
        }
    }

    async fn last_fence(&mut self) -> Result<i64, StoreError> {
        number(&self.dir.main_file(), "SELECT last FROM fence".to_owned()).await
    }
}

/// Asks for one number.
async fn number(file: &Path, sql: String) -> Result<i64, StoreError> {
    let file = file.to_owned();
    let asked = tokio::task::spawn_blocking(move || -> Outcome<i64> {
        Ok(connection::reading(&file, CACHE_KIB)?.query_row(&sql, [], |row| row.get(0))?)
    });
    let answer = asked.await.map_err(|_| StoreError::Internal("a read panicked".to_owned()))?;
    Ok(answer?)
}

/// Sends the rows of a table in batches, until nobody takes them any more.
fn read(file: &Path, table: &Table, sender: &mpsc::Sender<Result<Vec<Row>, StoreError>>) -> Outcome<()> {
    let connection = connection::reading(file, CACHE_KIB)?;
    let mut statement = connection.prepare(&format!("SELECT {} FROM {}", column_list(table), table.name))?;
    let mut rows = statement.query([])?;
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let mut cells = Vec::with_capacity(table.columns.len());
        for (index, column) in table.columns.iter().enumerate() {
            cells.push(cell(table, *column, row.get_ref(index)?)?);
        }
        bytes += cells.iter().map(Cell::size_bytes).sum::<usize>();
        batch.push(cells);
        if batch.len() == BATCH_ROWS || bytes >= BATCH_BYTES {
            bytes = 0;
            if sender.blocking_send(Ok(std::mem::take(&mut batch))).is_err() {
                return Ok(());
            }
        }
    }
    if !batch.is_empty() {
        let _nobody_waits = sender.blocking_send(Ok(batch));
    }
    Ok(())
}

fn cell(table: &Table, column: Column, value: ValueRef<'_>) -> Outcome<Cell> {
    let cell = match (column.kind, value) {
        (_, ValueRef::Null) => Some(Cell::Null),
        (Kind::Id, ValueRef::Blob(bytes)) => bytes.try_into().ok().map(Cell::Id),
        (Kind::Bytes, ValueRef::Blob(bytes)) => Some(Cell::Bytes(Bytes::copy_from_slice(bytes))),
        (Kind::Integer, ValueRef::Integer(number)) => Some(Cell::Integer(number)),
        (Kind::Flag, ValueRef::Integer(number)) => Some(Cell::Flag(number != 0)),
        (Kind::Text, ValueRef::Text(text)) => {
            std::str::from_utf8(text).ok().map(|text| Cell::Text(text.into()))
        }
        _ => None,
    };
    let wrong = || Failure::corrupt(format!("`{}.{}` holds {value:?}", table.name, column.name));
    cell.ok_or_else(wrong)
}
