//! Writes a schema that no server uses, in one transaction.

use std::pin::pin;

use async_trait::async_trait;
use stroem_store::{
    StoreError,
    transfer::{Cell, Import, Row, TABLES, Table},
};
use tokio_postgres::{
    binary_copy::BinaryCopyInWriter,
    types::{ToSql, Type},
};
use uuid::Uuid;

use super::{column_list, own_columns, session::Session, type_of};
use crate::{
    codec::plain,
    failure::{Failure, Outcome},
    store::Options,
};

const COUNT_JOBS: &str = "DELETE FROM job_count; INSERT INTO job_count (workspace, task, shown, jobs) \
     SELECT workspace, task, shown, count(*) FROM job GROUP BY workspace, task, shown";

/// A schema to write. Servers are kept out as long as it lives.
pub struct PostgresImport {
    session: Session,
}

impl PostgresImport {
    /// Connects, brings the schema to this build's version, and locks its tables.
    ///
    /// # Errors
    /// As [`crate::PostgresStore::open`]; [`StoreError::Unavailable`] also when a server uses the schema.
    pub async fn open(url: &str, options: Options) -> Result<Self, StoreError> {
        let session = Session::open(url, options).await?;
        let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
        // Jobs are counted once at the end, and not row by row.
        let begin = format!(
            "BEGIN; LOCK TABLE {} IN EXCLUSIVE MODE; ALTER TABLE job DISABLE TRIGGER USER",
            names.join(", ")
        );
        session.client.batch_execute(&begin).await.map_err(Failure::from)?;
        Ok(Self { session })
    }

    async fn copy_in(&self, table: &Table, rows: &[Row]) -> Outcome<()> {
        let mut columns = column_list(table);
        let mut types: Vec<Type> = table.columns.iter().map(|column| type_of(column.kind)).collect();
        let own = own_columns(table);
        if !own.is_empty() {
            columns = format!("{columns}, {}", own.join(", "));
            types.extend([Type::UUID, Type::INT8]);
        }
        let sql = format!("COPY {} ({columns}) FROM STDIN (FORMAT binary)", table.name);
        let sink = self.session.client.copy_in(&sql).await?;
        let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
        for row in rows {
            let mut values: Vec<Box<dyn ToSql + Sync + Send + '_>> =
                row.iter().zip(&types).map(|(cell, of)| value(cell, of)).collect();
            if !own.is_empty() {
                values.push(Box::new(Uuid::nil()));
                values.push(Box::new(0_i64));
            }
            writer.as_mut().write_raw(values).await?;
        }
        writer.finish().await?;
        Ok(())
    }

    async fn commit(&self, last_fence: i64) -> Outcome<()> {
        let numbers = format!(
            "SELECT setval('fence', {}, {}); \
             SELECT setval(pg_get_serial_sequence('queue_key', 'id'), coalesce(max(id), 1), max(id) IS NOT NULL) \
             FROM queue_key; {COUNT_JOBS}; ALTER TABLE job ENABLE TRIGGER USER; COMMIT",
            last_fence.max(1),
            last_fence > 0
        );
        self.session.client.batch_execute(&numbers).await?;
        // The tables were empty a moment ago, and a plan made for that would read them whole.
        let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
        if let Err(error) = self.session.client.batch_execute(&format!("ANALYZE {}", names.join(", "))).await
        {
            tracing::debug!(%error, "autovacuum will count the rows");
        }
        Ok(())
    }
}

fn value<'a>(cell: &'a Cell, of: &Type) -> Box<dyn ToSql + Sync + Send + 'a> {
    match cell {
        Cell::Null if *of == Type::UUID => Box::new(None::<Uuid>),
        Cell::Null if *of == Type::BYTEA => Box::new(None::<&[u8]>),
        Cell::Null if *of == Type::INT8 => Box::new(None::<i64>),
        Cell::Null if *of == Type::BOOL => Box::new(None::<bool>),
        Cell::Null => Box::new(None::<&str>),
        Cell::Id(bytes) => Box::new(Uuid::from_bytes(*bytes)),
        Cell::Bytes(bytes) => Box::new(&**bytes),
        Cell::Integer(number) => Box::new(*number),
        Cell::Flag(flag) => Box::new(*flag),
        Cell::Text(text) => Box::new(plain(text)),
    }
}

#[async_trait]
impl Import for PostgresImport {
    async fn count(&mut self, table: &'static Table) -> Result<u64, StoreError> {
        Ok(self.session.count(table).await?)
    }

    async fn write(&mut self, table: &'static Table, rows: Vec<Row>) -> Result<(), StoreError> {
        Ok(self.copy_in(table, &rows).await?)
    }

    async fn finish(self: Box<Self>, last_fence: i64) -> Result<(), StoreError> {
        self.commit(last_fence).await?;
        self.session.close().await;
        Ok(())
    }
}
