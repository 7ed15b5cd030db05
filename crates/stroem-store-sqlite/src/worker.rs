//! Workers and their sessions.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _};
use stroem_core::{InstanceId, Timestamp, WorkerId, WorkerName};
use stroem_store::{RegisterOutcome, Registration, StoreError, WorkerRow, WorkerStore};

use crate::{
    SqliteStore,
    codec::{Columns, json},
    failure::Outcome,
};

#[async_trait]
impl WorkerStore for SqliteStore {
    async fn register(&self, registration: Registration) -> Result<RegisterOutcome, StoreError> {
        self.main.run(move |connection| register(connection, &registration)).await
    }

    async fn session(&self, session_hash: [u8; 32]) -> Result<Option<WorkerRow>, StoreError> {
        self.main_readers.run(move |connection| session(connection, session_hash)).await
    }

    async fn seen(&self, workers: Vec<(WorkerId, Timestamp)>) -> Result<(), StoreError> {
        self.main.run(move |connection| seen(connection, &workers)).await
    }

    async fn set_draining(&self, worker: WorkerId, draining: bool) -> Result<(), StoreError> {
        let write = move |connection: &Connection| {
            connection
                .prepare_cached("UPDATE worker SET draining = ?2 WHERE id = ?1 AND draining <> ?2")?
                .execute((worker.as_bytes(), draining))?;
            Ok(())
        };
        self.main.run(write).await
    }

    async fn gone(&self, worker: WorkerId, instance: InstanceId, now: Timestamp) -> Result<bool, StoreError> {
        self.main.run(move |connection| gone(connection, worker, instance, now)).await
    }

    async fn workers(&self) -> Result<Vec<WorkerRow>, StoreError> {
        self.main_readers.run(workers).await
    }

    async fn forget(&self, gone_before: Timestamp) -> Result<u64, StoreError> {
        let write = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(
                "DELETE FROM worker WHERE gone_at < ?1 AND NOT EXISTS (SELECT 1 FROM lease WHERE lease.worker = worker.id)",
            )?;
            Ok(statement.execute([gone_before.as_micros()])? as u64)
        };
        self.main.run(write).await
    }
}

fn register(connection: &Connection, new: &Registration) -> Outcome<RegisterOutcome> {
    let known = connection
        .prepare_cached("SELECT id, instance, last_seen, gone_at FROM worker WHERE name = ?1")?
        .query_row([new.name.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let mut id = new.new_id;
    if let Some((known_id, instance, last_seen, gone_at)) = known {
        let (last_seen, gone_at): (i64, Option<i64>) = (last_seen, gone_at);
        let another = InstanceId::from_bytes(instance) != new.instance;
        if another && gone_at.is_none() && last_seen >= new.alive_since.as_micros() {
            return Ok(RegisterOutcome::NameTaken { last_seen: Timestamp::from_micros(last_seen) });
        }
        id = WorkerId::from_bytes(known_id);
    }
    connection
        .prepare_cached(
            "INSERT INTO worker (id, name, instance, tags, withdrawn, exclusive, capacity, version, session, \
             registered_at, last_seen, draining, gone_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, 0, NULL) \
             ON CONFLICT (id) DO UPDATE SET instance = excluded.instance, tags = excluded.tags, \
             withdrawn = excluded.withdrawn, exclusive = excluded.exclusive, capacity = excluded.capacity, \
             version = excluded.version, session = excluded.session, registered_at = excluded.registered_at, \
             last_seen = excluded.last_seen, draining = 0, gone_at = NULL",
        )?
        .execute(rusqlite::params![
            id.as_bytes(),
            new.name.as_str(),
            new.instance.as_bytes(),
            new.tags.queue_key(),
            json(&new.withdrawn)?,
            new.exclusive,
            new.capacity,
            new.version,
            new.session_hash,
            new.now.as_micros(),
        ])?;
    Ok(RegisterOutcome::Registered(id))
}

/// The columns that [`read`] expects.
macro_rules! worker_columns {
    () => {
        "id, name, instance, tags, withdrawn, exclusive, capacity, version, registered_at, last_seen, draining, gone_at"
    };
}

fn session(connection: &Connection, session: [u8; 32]) -> Outcome<Option<WorkerRow>> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        worker_columns!(),
        " FROM worker WHERE session = ?1 AND gone_at IS NULL"
    ))?;
    let mut rows = statement.query([session])?;
    rows.next()?.map(|row| read(&mut Columns::of(row))).transpose()
}

fn workers(connection: &Connection) -> Outcome<Vec<WorkerRow>> {
    let mut statement =
        connection.prepare_cached(concat!("SELECT ", worker_columns!(), " FROM worker ORDER BY name"))?;
    let mut rows = statement.query([])?;
    let mut workers = Vec::new();
    while let Some(row) = rows.next()? {
        workers.push(read(&mut Columns::of(row))?);
    }
    Ok(workers)
}

fn read(columns: &mut Columns<'_, '_>) -> Outcome<WorkerRow> {
    Ok(WorkerRow {
        id: columns.worker()?,
        name: columns.text(WorkerName::new)?,
        instance: InstanceId::from_bytes(columns.value()?),
        tags: columns.tags()?,
        withdrawn: columns.text(|text| serde_json::from_str(text))?,
        exclusive: columns.value()?,
        capacity: columns.value()?,
        version: columns.value()?,
        registered_at: columns.time()?,
        last_seen: columns.time()?,
        draining: columns.value()?,
        gone_at: columns.time_if_any()?,
    })
}

fn seen(connection: &Connection, workers: &[(WorkerId, Timestamp)]) -> Outcome<()> {
    let mut statement =
        connection.prepare_cached("UPDATE worker SET last_seen = ?2 WHERE id = ?1 AND last_seen < ?2")?;
    for (worker, at) in workers {
        statement.execute((worker.as_bytes(), at.as_micros()))?;
    }
    Ok(())
}

fn gone(connection: &Connection, worker: WorkerId, instance: InstanceId, now: Timestamp) -> Outcome<bool> {
    // Said twice, the first time stays.
    let noted = connection
        .prepare_cached("UPDATE worker SET gone_at = coalesce(gone_at, ?3) WHERE id = ?1 AND instance = ?2")?
        .execute((worker.as_bytes(), instance.as_bytes(), now.as_micros()))?;
    Ok(noted > 0)
}
