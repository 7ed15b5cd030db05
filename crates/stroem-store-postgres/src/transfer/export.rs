//! Reads a schema that no server uses, from one snapshot.

use async_trait::async_trait;
use bytes::Bytes;
use stroem_store::{
    StoreError,
    transfer::{BATCH_ROWS, Cell, Column, Export, Kind, Row, Table},
};
use tokio_postgres::Row as Found;
use uuid::Uuid;

use super::{column_list, session::Session};
use crate::{
    failure::{Failure, Outcome},
    store::Options,
};

/// A log chunk may have a mebibyte, and a batch is taken whole.
const CHUNK_ROWS: usize = 16;

/// A schema to read. Servers are kept out as long as it lives.
pub struct PostgresExport {
    session: Session,
    table: Option<&'static Table>,
}

impl PostgresExport {
    /// Connects, and brings the schema to this build's version.
    ///
    /// # Errors
    /// As [`crate::PostgresStore::open`]; [`StoreError::Unavailable`] also when a server uses the schema, or when blobs lie in
    /// it, which no other store could hold.
    pub async fn open(url: &str, options: Options) -> Result<Self, StoreError> {
        let session = Session::open(url, options).await?;
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        session.client.batch_execute(begin).await.map_err(Failure::from)?;
        refuse_blobs(&session).await?;
        Ok(Self { session, table: None })
    }

    async fn declare(&self, table: &Table) -> Outcome<()> {
        let close = if self.table.is_some() { "CLOSE moved; " } else { "" };
        let columns = column_list(table);
        let sql = format!("{close}DECLARE moved NO SCROLL CURSOR FOR SELECT {columns} FROM {}", table.name);
        Ok(self.session.client.batch_execute(&sql).await?)
    }

    async fn fetch(&self, table: &Table) -> Outcome<Vec<Row>> {
        let has_bytes = table.columns.iter().any(|column| column.kind == Kind::Bytes);
        let count = if has_bytes { CHUNK_ROWS } else { BATCH_ROWS };
        let found = self.session.client.query(&format!("FETCH FORWARD {count} FROM moved"), &[]).await?;
        let read = |row: &Found| {
            let cells = table.columns.iter().enumerate();
            cells.map(|(index, column)| cell(*column, row, index)).collect::<Outcome<Row>>()
        };
        found.iter().map(read).collect()
    }
}

/// Sealed logs and revisions that lie in the database would be lost.
async fn refuse_blobs(session: &Session) -> Outcome<()> {
    let there = session.client.query_one("SELECT to_regclass('blob') IS NOT NULL", &[]).await?;
    if !there.try_get::<_, bool>(0)? {
        return Ok(());
    }
    let count: i64 = session.client.query_one("SELECT count(*) FROM blob", &[]).await?.try_get(0)?;
    if count == 0 {
        return Ok(());
    }
    Err(Failure::unavailable(format!(
        "{count} sealed log(s) and revision(s) lie in this database, and cannot be moved out of it"
    )))
}

fn cell(column: Column, row: &Found, index: usize) -> Outcome<Cell> {
    let found = match column.kind {
        Kind::Id => row.try_get::<_, Option<Uuid>>(index)?.map(|id| Cell::Id(id.into_bytes())),
        Kind::Bytes => row.try_get::<_, Option<Vec<u8>>>(index)?.map(|bytes| Cell::Bytes(Bytes::from(bytes))),
        Kind::Integer => row.try_get::<_, Option<i64>>(index)?.map(Cell::Integer),
        Kind::Flag => row.try_get::<_, Option<bool>>(index)?.map(Cell::Flag),
        Kind::Text => row.try_get::<_, Option<String>>(index)?.map(Cell::Text),
    };
    Ok(found.unwrap_or(Cell::Null))
}

#[async_trait]
impl Export for PostgresExport {
    async fn count(&mut self, table: &'static Table) -> Result<u64, StoreError> {
        Ok(self.session.count(table).await?)
    }

    async fn open(&mut self, table: &'static Table) -> Result<(), StoreError> {
        self.declare(table).await?;
        self.table = Some(table);
        Ok(())
    }

    async fn next(&mut self) -> Result<Vec<Row>, StoreError> {
        match self.table {
            Some(table) => Ok(self.fetch(table).await?),
            None => Ok(Vec::new()),
        }
    }

    async fn last_fence(&mut self) -> Result<i64, StoreError> {
        let sql = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM fence";
        let row = self.session.client.query_one(sql, &[]).await.map_err(Failure::from)?;
        Ok(row.try_get(0).map_err(Failure::from)?)
    }
}
