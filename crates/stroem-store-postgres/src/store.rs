//! The store's handle: opens the database, keeps the connections and the tasks, and ends them.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use lru::LruCache;
use stroem_core::Timestamp;
use stroem_store::StoreError;
use stroem_workflow::{Plan, PlanHash};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    address::Address,
    codec::Columns,
    connection::{Connector, Request, values},
    counters::{Counters, Statistics},
    failure::Outcome,
    hints::Hints,
    migrations,
    pool::Pool,
    tls,
};

/// Plans that stay in memory.
const CACHED_PLANS: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");
/// So many commits add rows to `job_count` until they are folded.
const COMMITS_PER_FOLD: u64 = 256;
/// How long a name may be in PostgreSQL, less what is put before it.
const SCHEMA_LENGTH: usize = 48;
/// When the other end does not acknowledge what was sent for so long, the connection is broken.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// A connection without traffic is probed after this time.
const PROBE_AFTER: Duration = Duration::from_secs(15);

/// How to use the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Connections for operations at most. Besides them there is one for hints, and one for the leadership.
    pub connections: u32,
    /// How long opening a connection may take.
    pub connect_timeout: Duration,
    /// The schema that holds the tables, made when it is missing: 1 to 48 small letters, digits and `_`.
    pub schema: String,
    /// Other servers share the store: tell them what happens here, and listen to them. One server alone saves a
    /// connection without it.
    pub hints: bool,
}

impl Default for Options {
    /// 10 connections, 5 seconds, `stroem`, with hints.
    fn default() -> Self {
        let (connections, connect_timeout) = (10, Duration::from_secs(5));
        Self { connections, connect_timeout, schema: "stroem".to_owned(), hints: true }
    }
}

/// The store on PostgreSQL 14 or newer. Cheap to clone parts are inside; the application holds one.
///
/// Every method is as the port has it. What the port calls `Unavailable` is here: no connection to be had, a connection
/// that broke, a server that shuts down or lacks a resource. After it nothing was written, with one exception: when the
/// connection broke in the middle of a commit and the database could not be asked for 30 seconds what became of it; the
/// error says so. The caller's second try is safe in any case: events are idempotent under their fences, a creation can
/// be looked up by its id, and what a claim took is listed by [`stroem_store::DispatchStore::leases`].
///
/// It needs a runtime of tokio to be opened and used. Dropped, it ends its tasks; [`Self::close`] also waits for them.
pub struct PostgresStore {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) pool: Arc<Pool>,
    pub(crate) tasks: TaskTracker,
    pub(crate) hints: Hints,
    pub(crate) plans: Mutex<LruCache<PlanHash, Arc<Plan>>>,
    /// Texts of queue keys that are known to be stored.
    pub(crate) queue_keys: Mutex<LruCache<String, ()>>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) closed: CancellationToken,
    /// The connection with which a server that does not lead tries again.
    pub(crate) standby: tokio::sync::Mutex<Option<(tokio_postgres::Client, CancellationToken)>>,
}

impl PostgresStore {
    /// Connects, and brings the schema to this build's version. Servers may do so at once.
    ///
    /// The URL is libpq's: `postgresql://user:password@host:port/database?sslmode=verify-full&sslrootcert=/path`.
    /// `sslmode` is `disable`, `prefer` (the default), `require`, `verify-ca` or `verify-full`; `sslrootcert` a PEM file,
    /// or `system`, which is also meant when it is missing. A pooler in between must pool sessions, not transactions.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the URL cannot be used or the database cannot be reached;
    /// [`StoreError::Corrupt`] when the schema was written by a newer version;
    /// [`StoreError::Internal`] when the database refuses, such as for a missing permission.
    pub async fn open(url: &str, options: Options) -> Result<Self, StoreError> {
        check(&options)?;
        let mut address = Address::parse(url).map_err(StoreError::Unavailable)?;
        let tls = tls::connector(&address)?;
        if address.config.get_application_name().is_none() {
            address.config.application_name("stroem");
        }
        if address.config.get_tcp_user_timeout().is_none() {
            address.config.tcp_user_timeout(SILENCE_MAX);
        }
        address.config.connect_timeout(options.connect_timeout).keepalives_idle(PROBE_AFTER);
        let tasks = TaskTracker::new();
        let counters = Arc::new(Counters::default());
        let config = address.config;
        let connector =
            Connector { config, tls, options, tasks: tasks.clone(), counters: Arc::clone(&counters) };
        prepare(&connector).await?;
        let pool = Pool::new(connector);
        let closed = CancellationToken::new();
        let hints = Hints::start(&pool, closed.clone());
        let inner = Inner {
            pool,
            tasks,
            hints,
            plans: Mutex::new(LruCache::new(CACHED_PLANS)),
            queue_keys: Mutex::new(LruCache::new(QUEUE_KEYS)),
            counters,
            closed,
            standby: tokio::sync::Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What it did since it was opened.
    pub fn statistics(&self) -> Statistics {
        self.inner.counters.snapshot()
    }

    /// The database's clock, for judgements that several servers must share.
    ///
    /// # Errors
    /// As every read.
    pub async fn database_time(&self) -> Result<Timestamp, StoreError> {
        let question =
            Request::new("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint", values![]);
        let answers = self.inner.pool.fly(&[question]).await?;
        Ok(Columns::of(&answers[0][0]).time()?)
    }

    /// Finishes the writes that were begun, and ends all connections and tasks.
    pub async fn close(self) {
        self.inner.closed.cancel();
        self.inner.tasks.close();
        // Writes hold their connections; what is free can go now, and what comes back goes then.
        let pool = Arc::clone(&self.inner.pool);
        let tasks = self.inner.tasks.clone();
        drop(self);
        pool.close();
        tasks.wait().await;
    }

    /// Runs a write to its end, also when the caller goes away.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Outcome<T>> + Send + 'static,
    {
        match self.inner.tasks.spawn(work).await {
            Ok(outcome) => Ok(outcome?),
            Err(error) if error.is_panic() => Err(StoreError::Internal("an operation panicked".to_owned())),
            Err(_) => Err(StoreError::Unavailable("the store is closed".to_owned())),
        }
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.inner.closed.cancel();
    }
}

/// Queue keys that stay in memory.
const QUEUE_KEYS: NonZeroUsize = NonZeroUsize::new(1_024).expect("not zero");

impl Inner {
    /// Counts a commit. Every so often the rows that count jobs are folded, behind the caller's back.
    pub(crate) fn committed(&self) {
        if self.counters.committed() % COMMITS_PER_FOLD == COMMITS_PER_FOLD - 1 {
            let pool = Arc::clone(&self.pool);
            self.tasks.spawn(async move {
                if let Err(failure) = pool.fly(&[Request::new(FOLD, values![])]).await {
                    let error = StoreError::from(failure);
                    tracing::debug!(%error, "the counts of jobs are folded another time");
                }
            });
        }
    }

    pub(crate) fn remember(&self, hash: PlanHash, plan: Arc<Plan>) {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).put(hash, plan);
    }
}

/// Makes one row of those that count the same. Whoever comes second finds the rows locked, and passes over them.
const FOLD: &str = "WITH old AS (DELETE FROM job_count WHERE ctid = ANY (ARRAY( \
     SELECT c.ctid FROM job_count c WHERE EXISTS (SELECT 1 FROM job_count d WHERE d.workspace = c.workspace \
     AND d.task = c.task AND d.shown = c.shown AND d.ctid <> c.ctid) FOR UPDATE SKIP LOCKED)) \
     RETURNING workspace, task, shown, jobs) \
     INSERT INTO job_count (workspace, task, shown, jobs) \
     SELECT workspace, task, shown, sum(jobs) FROM old GROUP BY workspace, task, shown HAVING sum(jobs) <> 0";

fn check(options: &Options) -> Result<(), StoreError> {
    let schema = &options.schema;
    let letters = schema.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if schema.is_empty() || schema.len() > SCHEMA_LENGTH || !letters {
        return Err(StoreError::Unavailable(format!(
            "`{schema}` cannot be the database's schema: use 1 to {SCHEMA_LENGTH} small letters, digits and `_`"
        )));
    }
    if options.connections == 0 {
        return Err(StoreError::Unavailable("the store needs at least one connection".to_owned()));
    }
    Ok(())
}

/// Migrates, and forgets marks of connections that ended long ago.
async fn prepare(connector: &Connector) -> Result<(), StoreError> {
    let mut connection = connector.connect().await?;
    migrations::migrate(&mut connection, &connector.options.schema).await?;
    connection.script("DELETE FROM commit_mark WHERE noted_at < now() - interval '1 day'").await?;
    Ok(())
}
