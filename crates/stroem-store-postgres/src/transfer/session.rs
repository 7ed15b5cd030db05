//! A connection that keeps servers out: it holds the leadership.

use std::{sync::Arc, time::Duration};

use stroem_store::{StoreError, transfer::Table};
use tokio_postgres::Client;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::count_sql;
use crate::{
    PostgresStore,
    failure::Outcome,
    leader,
    store::{Inner, Options},
};

/// How often, and how many times, it is tried to keep servers out: the connection of one that was killed may need a
/// moment to end.
const AGAIN: Duration = Duration::from_secs(1);
const TRIES: u32 = 5;

/// The connection.
pub(super) struct Session {
    pub(super) client: Client,
    ended: CancellationToken,
    inner: Arc<Inner>,
    tasks: TaskTracker,
}

impl Session {
    /// Connects, brings the schema to this build's version, and keeps servers out.
    pub(super) async fn open(url: &str, options: Options) -> Result<Self, StoreError> {
        let store = PostgresStore::open(url, Options { hints: false, ..options }).await?;
        let inner = Arc::clone(&store.inner);
        for _ in 0..TRIES {
            if let Some((client, ended)) = leader::lock(&inner).await? {
                client.batch_execute(SETTINGS).await.map_err(crate::failure::Failure::from)?;
                let tasks = inner.tasks.clone();
                return Ok(Self { client, ended, inner, tasks });
            }
            tokio::time::sleep(AGAIN).await;
        }
        Err(StoreError::Unavailable("a server uses this database; stop it first".to_owned()))
    }

    pub(super) async fn count(&self, table: &Table) -> Outcome<u64> {
        let count: i64 = self.client.query_one(&count_sql(table), &[]).await?.try_get(0)?;
        Ok(count.cast_unsigned())
    }

    /// Ends the connection, and waits for it.
    pub(super) async fn close(self) {
        let Self { client, ended, inner, tasks } = self;
        drop(client);
        ended.cancelled().await;
        inner.closed.cancel();
        tasks.close();
        inner.pool.close();
        drop(inner);
        tasks.wait().await;
    }
}

/// Whole tables are read here, and a batch may be long in coming.
const SETTINGS: &str = "SET idle_in_transaction_session_timeout = 0; SET idle_session_timeout = 0; SET statement_timeout = 0; \
     SET enable_seqscan = on; SET enable_sort = on; SET enable_hashjoin = on; SET plan_cache_mode = auto";
