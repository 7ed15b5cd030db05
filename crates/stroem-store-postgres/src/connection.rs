//! One connection: its settings, its prepared statements, and requests that travel together.

use std::{borrow::Cow, collections::HashMap, future::poll_fn, sync::Arc};

use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio_postgres::{AsyncMessage, Client, Notification, Row, Statement, types::ToSql};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::{
    counters::Counters,
    failure::{Failure, Outcome, explain},
    store::Options,
};

/// Requests that may travel together: so many are polled in their order, which is the order on the wire.
const TOGETHER_MAX: usize = 24;

/// A value of a request.
pub(crate) type Value<'a> = Box<dyn ToSql + Sync + Send + 'a>;

/// A statement with its values.
pub(crate) struct Request<'a> {
    sql: Cow<'static, str>,
    values: Vec<Value<'a>>,
}

impl<'a> Request<'a> {
    pub(crate) fn new(sql: impl Into<Cow<'static, str>>, values: Vec<Value<'a>>) -> Self {
        Self { sql: sql.into(), values }
    }
}

/// Puts values into boxes, for [`Request::new`].
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$(Box::new($value) as $crate::connection::Value<'_>),*] };
}
pub(crate) use values;

/// The process that serves a connection, as it can be found again after the connection broke.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backend {
    pub(crate) pid: i32,
    pub(crate) started_at: i64,
}

/// How to connect.
pub(crate) struct Connector {
    pub(crate) config: tokio_postgres::Config,
    pub(crate) tls: MakeRustlsConnect,
    pub(crate) options: Options,
    pub(crate) tasks: TaskTracker,
    pub(crate) counters: Arc<Counters>,
}

impl Connector {
    /// Opens a connection for operations.
    pub(crate) async fn connect(&self) -> Outcome<Connection> {
        let (client, _) = self.open(None).await?;
        self.counters.connected();
        let rows = client.query(BACKEND, &[]).await?;
        let row = rows.first().ok_or_else(|| Failure::internal("a connection has no backend"))?;
        let backend = Backend { pid: row.try_get(0)?, started_at: row.try_get(1)? };
        Ok(Connection {
            client,
            backend,
            statements: HashMap::new(),
            counters: Arc::clone(&self.counters),
            slot: Uuid::from_bytes(row.try_get::<_, Uuid>(2)?.into_bytes()),
            mark: 0,
        })
    }

    /// Opens a connection whose notifications go to `heard`. The token is cancelled when the connection ends.
    pub(crate) async fn open(
        &self,
        heard: Option<mpsc::UnboundedSender<Notification>>,
    ) -> Outcome<(Client, tokio_util::sync::CancellationToken)> {
        let limit = self.options.connect_timeout;
        let late =
            || Failure::unavailable(format!("the database did not answer within {} ms", limit.as_millis()));
        let connecting = self.config.connect(self.tls.clone());
        let connected = tokio::time::timeout(limit, connecting).await.map_err(|_| late())?;
        let (client, mut connection) = connected.map_err(refused)?;
        let ended = tokio_util::sync::CancellationToken::new();
        let guard = ended.clone().drop_guard();
        // Ends with the client, or with the server.
        self.tasks.spawn(async move {
            let _ended = guard;
            loop {
                match poll_fn(|context| connection.poll_message(context)).await {
                    Some(Ok(AsyncMessage::Notification(notification))) => {
                        if let Some(heard) = &heard {
                            // Nobody listens any more when the client is about to be dropped.
                            let _ = heard.send(notification);
                        }
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => {
                        tracing::debug!(%error, "a connection to the database ended");
                        return;
                    }
                    None => return,
                }
            }
        });
        let settings = settings(&self.options.schema);
        tokio::time::timeout(limit, client.batch_execute(&settings)).await.map_err(|_| late())??;
        Ok((client, ended))
    }
}

/// The server's own words keep their code; everything else, such as a certificate that is not trusted, is no connection.
fn refused(error: tokio_postgres::Error) -> Failure {
    if error.code().is_some() { Failure::Sql(error) } else { Failure::unavailable(explain(&error)) }
}

/// Every question here follows an index, and must do so also while the statistics of a young table say that it is
/// small: so no scan of a table, no sorting of what an index has in order, and no join that reads one side whole. Durability is not for the database's owner to
/// turn off: what is acknowledged is on the disk.
fn settings(schema: &str) -> String {
    format!(
        "SET search_path = \"{schema}\"; SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; SET enable_hashjoin = off; SET enable_mergejoin = off; \
         SET plan_cache_mode = force_generic_plan; SET jit = off; SET client_min_messages = warning; \
         SET default_transaction_isolation = 'read committed'; SET idle_in_transaction_session_timeout = '60s'; \
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    )
}

const BACKEND: &str = "SELECT pg_backend_pid(), (extract(epoch FROM backend_start) * 1000000)::bigint, \
                       gen_random_uuid() FROM pg_stat_activity WHERE pid = pg_backend_pid()";

/// A connection for operations.
pub(crate) struct Connection {
    client: Client,
    backend: Backend,
    statements: HashMap<Cow<'static, str>, Statement>,
    counters: Arc<Counters>,
    /// Its row in `commit_mark`.
    slot: Uuid,
    /// The number of its newest transaction that writes.
    mark: i64,
}

impl Connection {
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    pub(crate) fn backend(&self) -> Backend {
        self.backend
    }

    pub(crate) fn slot(&self) -> Uuid {
        self.slot
    }

    /// Begins the next transaction that writes.
    pub(crate) fn next_mark(&mut self) -> i64 {
        self.mark += 1;
        self.mark
    }

    /// Sends requests together and waits for all answers: one round trip, once their statements are prepared. The first
    /// error is the cause of all errors behind it. Everything is sent at the first poll.
    pub(crate) async fn fly(&mut self, requests: &[Request<'_>]) -> Outcome<Vec<Vec<Row>>> {
        debug_assert!(requests.len() <= TOGETHER_MAX, "{} requests at once", requests.len());
        self.prepare(requests).await?;
        self.counters.round_trip();
        let (client, statements) = (&self.client, &self.statements);
        let sent = requests.iter().map(|request| {
            let statement = &statements[&request.sql];
            let values: Vec<&(dyn ToSql + Sync)> =
                request.values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect();
            async move { client.query(statement, &values).await }
        });
        let answers = join_all(sent).await;
        Ok(answers.into_iter().collect::<Result<_, _>>()?)
    }

    async fn prepare(&mut self, requests: &[Request<'_>]) -> Outcome<()> {
        let mut missing: Vec<&Cow<'static, str>> = Vec::new();
        for request in requests {
            if !self.statements.contains_key(&request.sql) && !missing.contains(&&request.sql) {
                missing.push(&request.sql);
            }
        }
        let prepared = join_all(missing.iter().map(|sql| self.client.prepare(sql))).await;
        for (sql, statement) in missing.into_iter().zip(prepared) {
            self.counters.prepared();
            self.statements.insert(sql.clone(), statement?);
        }
        Ok(())
    }

    /// Runs statements without values that are not used again.
    pub(crate) async fn script(&self, sql: &str) -> Outcome<()> {
        Ok(self.client.batch_execute(sql).await?)
    }
}
