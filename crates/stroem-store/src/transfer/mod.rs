//! Moving everything from one store into another, empty one, while no server uses either.
//!
//! [`TABLES`] is the one list of what is moved; every implementation has a test that compares it with its schema, so that
//! a new table or column cannot be forgotten. It must not know any database: the two ends do.

mod tables;

use async_trait::async_trait;
use bytes::Bytes;

use crate::StoreError;
pub use tables::TABLES;

/// A batch has at most so many rows.
pub const BATCH_ROWS: usize = 1_000;
/// A batch that has so many bytes takes no further row.
pub const BATCH_BYTES: usize = 4 << 20;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 16 bytes.
    Id,
    /// Bytes.
    Bytes,
    /// A number of 64 bits.
    Integer,
    /// Yes or no.
    Flag,
    /// A text.
    Text,
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds, or null.
    pub kind: Kind,
}

/// A table that every store has under the same name, with the same columns.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns, in the order of the cells of a row.
    pub columns: &'static [Column],
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// Of [`Kind::Id`].
    Id([u8; 16]),
    /// Of [`Kind::Bytes`].
    Bytes(Bytes),
    /// Of [`Kind::Integer`].
    Integer(i64),
    /// Of [`Kind::Flag`].
    Flag(bool),
    /// Of [`Kind::Text`].
    Text(String),
}

impl Cell {
    /// About how many bytes it takes.
    pub fn size_bytes(&self) -> usize {
        match self {
            Self::Null | Self::Flag(_) => 1,
            Self::Integer(_) => 8,
            Self::Id(_) => 16,
            Self::Bytes(bytes) => bytes.len(),
            Self::Text(text) => text.len(),
        }
    }
}

/// A row: a cell for each column.
pub type Row = Vec<Cell>;

/// The store that is read. It keeps servers out as long as it lives, and what it reads does not change.
#[async_trait]
pub trait Export: Send {
    /// How many rows a table has.
    async fn count(&mut self, table: &'static Table) -> Result<u64, StoreError>;

    /// Begins to read a table; what was left of an earlier one is forgotten.
    async fn open(&mut self, table: &'static Table) -> Result<(), StoreError>;

    /// The next rows of the table that was opened, at most [`BATCH_ROWS`]; none at its end.
    async fn next(&mut self) -> Result<Vec<Row>, StoreError>;

    /// The fence that was handed out last, 0 if none was.
    async fn last_fence(&mut self) -> Result<i64, StoreError>;
}

/// The store that is written. It keeps servers out as long as it lives. Nothing of what is written is there before
/// [`Import::finish`] has answered; dropped before, the store is as it was.
#[async_trait]
pub trait Import: Send {
    /// How many rows a table has, with those that were just written.
    async fn count(&mut self, table: &'static Table) -> Result<u64, StoreError>;

    /// Adds rows.
    async fn write(&mut self, table: &'static Table, rows: Vec<Row>) -> Result<(), StoreError>;

    /// Makes everything durable and visible. Fences go on after this one.
    async fn finish(self: Box<Self>, last_fence: i64) -> Result<(), StoreError>;
}

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The table that is copied now.
    pub table: &'static str,
    /// Its rows so far.
    pub table_rows: u64,
    /// Rows of all tables so far.
    pub rows: u64,
    /// Rows of all tables in the end.
    pub rows_total: u64,
}

/// What was copied of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// The table.
    pub table: &'static str,
    /// Its rows.
    pub rows: u64,
}

/// Why nothing was copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The source cannot be read.
    #[error("the source: {0}")]
    Source(#[source] StoreError),
    /// The target cannot be written.
    #[error("the target: {0}")]
    Target(#[source] StoreError),
    /// The target is in use already.
    #[error("the target is not empty: its table `{table}` has {rows} row(s)")]
    NotEmpty {
        /// The first such table.
        table: &'static str,
        /// Its rows.
        rows: u64,
    },
    /// Source and target differ after the copy.
    #[error("the table `{table}` has {expected} row(s) in the source, and {found} in the target")]
    Differs {
        /// The table.
        table: &'static str,
        /// Rows of the source.
        expected: u64,
        /// Rows of the target.
        found: u64,
    },
}

/// Copies every table, compares the numbers of rows, and makes it visible at once. After an error, and when the future is
/// dropped, the target is as it was before, so that it can be done again.
///
/// # Errors
/// [`CopyError::NotEmpty`] before anything is written; the others at any time.
pub async fn copy(
    from: &mut dyn Export,
    mut to: Box<dyn Import>,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Vec<Copied>, CopyError> {
    let mut expected = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        let rows = to.count(table).await.map_err(CopyError::Target)?;
        if rows > 0 {
            return Err(CopyError::NotEmpty { table: table.name, rows });
        }
        expected.push(from.count(table).await.map_err(CopyError::Source)?);
    }
    let mut state = Progress { table: "", table_rows: 0, rows: 0, rows_total: expected.iter().sum() };
    for (table, expected) in TABLES.iter().zip(&expected) {
        (state.table, state.table_rows) = (table.name, 0);
        progress(state);
        from.open(table).await.map_err(CopyError::Source)?;
        loop {
            let rows = from.next().await.map_err(CopyError::Source)?;
            if rows.is_empty() {
                break;
            }
            let count = rows.len() as u64;
            to.write(table, rows).await.map_err(CopyError::Target)?;
            state.table_rows += count;
            state.rows += count;
            progress(state);
        }
        let found = to.count(table).await.map_err(CopyError::Target)?;
        if found != *expected {
            return Err(CopyError::Differs { table: table.name, expected: *expected, found });
        }
    }
    let last_fence = from.last_fence().await.map_err(CopyError::Source)?;
    to.finish(last_fence).await.map_err(CopyError::Target)?;
    let copied = |(table, rows): (&Table, u64)| Copied { table: table.name, rows };
    Ok(TABLES.iter().zip(expected).map(copied).collect())
}

#[cfg(test)]
mod tests;
