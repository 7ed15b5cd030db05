//! Workers and their sessions.

use std::sync::Arc;

use async_trait::async_trait;
use stroem_core::{InstanceId, Timestamp, WorkerId, WorkerName};
use stroem_store::{RegisterOutcome, Registration, StoreError, WorkerRow, WorkerStore};

use crate::{
    PostgresStore,
    codec::{Columns, json, plain, uuid},
    connection::{Request, values},
    failure::Outcome,
    store::Inner,
    writer::Transaction,
};

/// The columns that [`read`] expects.
macro_rules! worker_columns {
    () => {
        "id, name, instance, tags, withdrawn, exclusive, capacity, version, registered_at, last_seen, draining, gone_at"
    };
}

#[async_trait]
impl WorkerStore for PostgresStore {
    async fn register(&self, registration: Registration) -> Result<RegisterOutcome, StoreError> {
        let inner = Arc::clone(&self.inner);
        self.write(async move { register(&inner, &registration).await }).await
    }

    async fn session(&self, session_hash: [u8; 32]) -> Result<Option<WorkerRow>, StoreError> {
        let question =
            concat!("SELECT ", worker_columns!(), " FROM worker WHERE session = $1 AND gone_at IS NULL");
        Ok(self.inner.read(question, values![session_hash.to_vec()], read).await?.pop())
    }

    async fn seen(&self, workers: Vec<(WorkerId, Timestamp)>) -> Result<(), StoreError> {
        if workers.is_empty() {
            return Ok(());
        }
        // In one order for all who do so, so that no two wait for each other.
        let sql = "UPDATE worker w SET last_seen = n.at FROM ( \
                   SELECT l.id, n.at FROM worker l JOIN unnest($1::uuid[], $2::bigint[]) AS n(id, at) ON n.id = l.id \
                   WHERE l.last_seen < n.at ORDER BY l.id FOR UPDATE OF l) AS n \
                   WHERE w.id = n.id AND w.last_seen < n.at";
        let ids: Vec<_> = workers.iter().map(|(worker, _)| uuid(worker.as_bytes())).collect();
        let times: Vec<i64> = workers.iter().map(|(_, at)| at.as_micros()).collect();
        self.change(sql, move || values![ids.clone(), times.clone()]).await?;
        Ok(())
    }

    async fn set_draining(&self, worker: WorkerId, draining: bool) -> Result<(), StoreError> {
        let sql = "UPDATE worker SET draining = $2 WHERE id = $1 AND draining <> $2";
        self.change(sql, move || values![uuid(worker.as_bytes()), draining]).await?;
        Ok(())
    }

    async fn gone(&self, worker: WorkerId, instance: InstanceId, now: Timestamp) -> Result<bool, StoreError> {
        // Said twice, the first time stays.
        let sql = "UPDATE worker SET gone_at = coalesce(gone_at, $3) WHERE id = $1 AND instance = $2 \
                   RETURNING 1::bigint";
        let values = move || values![uuid(worker.as_bytes()), uuid(instance.as_bytes()), now.as_micros()];
        Ok(self.change(sql, values).await? > 0)
    }

    async fn workers(&self) -> Result<Vec<WorkerRow>, StoreError> {
        let question = concat!("SELECT ", worker_columns!(), " FROM worker ORDER BY name");
        self.inner.read(question, values![], read).await
    }

    async fn forget(&self, gone_before: Timestamp) -> Result<u64, StoreError> {
        let sql = "DELETE FROM worker WHERE gone_at < $1 \
                   AND NOT EXISTS (SELECT 1 FROM lease WHERE lease.worker = worker.id) RETURNING 1::bigint";
        self.change(sql, move || values![gone_before.as_micros()]).await
    }
}

impl PostgresStore {
    /// One statement that may be run again without harm, in a transaction of its own. Answers how many rows it gave.
    pub(crate) async fn change<F>(&self, sql: &'static str, values: F) -> Result<u64, StoreError>
    where
        F: Fn() -> Vec<crate::connection::Value<'static>> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let work = async move {
            let request = [Request::new(sql, values())];
            let answers = inner.pool.fly(&request).await?;
            inner.committed();
            Ok(answers.iter().map(Vec::len).sum::<usize>() as u64)
        };
        self.write(work).await
    }
}

/// Two round trips. The lock of the name keeps two instances of a new name from being registered at once.
async fn register(inner: &Arc<Inner>, new: &Registration) -> Outcome<RegisterOutcome> {
    let name = new.name.as_str().to_owned();
    let questions = vec![
        Request::new(
            "SELECT pg_advisory_xact_lock(hashtextextended('stroem worker ' || current_schema() || $1::text, 0))",
            values![name.clone()],
        ),
        Request::new(
            "SELECT id, instance, last_seen, gone_at FROM worker WHERE name = $1 FOR UPDATE",
            values![name.clone()],
        ),
    ];
    let (transaction, answers) = Transaction::begin(inner, questions).await?;
    let mut id = new.new_id;
    if let Some(row) = answers[1].first() {
        let mut columns = Columns::of(row);
        id = columns.worker()?;
        let another = columns.instance()? != new.instance;
        let (last_seen, gone_at) = (columns.time()?, columns.time_if_any()?);
        if another && gone_at.is_none() && last_seen >= new.alive_since {
            return Ok(RegisterOutcome::NameTaken { last_seen });
        }
    }
    let write = Request::new(
        "INSERT INTO worker (id, name, instance, tags, withdrawn, exclusive, capacity, version, session, \
         registered_at, last_seen, draining, gone_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, false, NULL) \
         ON CONFLICT (id) DO UPDATE SET instance = excluded.instance, tags = excluded.tags, \
         withdrawn = excluded.withdrawn, exclusive = excluded.exclusive, capacity = excluded.capacity, \
         version = excluded.version, session = excluded.session, registered_at = excluded.registered_at, \
         last_seen = excluded.last_seen, draining = false, gone_at = NULL",
        values![
            uuid(id.as_bytes()),
            name,
            uuid(new.instance.as_bytes()),
            new.tags.queue_key(),
            json(&new.withdrawn)?,
            new.exclusive,
            i64::from(new.capacity),
            plain(&new.version).into_owned(),
            new.session_hash.to_vec(),
            new.now.as_micros(),
        ],
    );
    transaction.commit(vec![write]).await?;
    Ok(RegisterOutcome::Registered(id))
}

fn read(columns: &mut Columns<'_>) -> Outcome<WorkerRow> {
    Ok(WorkerRow {
        id: columns.worker()?,
        name: columns.text(WorkerName::new)?,
        instance: columns.instance()?,
        tags: columns.tags()?,
        withdrawn: columns.text(|text| serde_json::from_str(text))?,
        exclusive: columns.value()?,
        capacity: columns.small()?,
        version: columns.value()?,
        registered_at: columns.time()?,
        last_seen: columns.time()?,
        draining: columns.value()?,
        gone_at: columns.time_if_any()?,
    })
}
