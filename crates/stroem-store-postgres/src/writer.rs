//! Transactions that write: begun with the first questions, ended with the last statements, and never in doubt.
//!
//! It must not know what the statements do. When the connection breaks before the answer to a commit, the mark that the
//! transaction left tells whether it took place.

use std::{sync::Arc, time::Duration};

use stroem_store::StoreError;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    connection::{Backend, Request, values},
    failure::{Failure, Outcome},
    pool::{Pool, Pooled},
    store::Inner,
};

/// How long to ask what became of a commit, while the database cannot be reached.
const RESOLVE_MAX: Duration = Duration::from_secs(30);
/// Between two such attempts.
const RESOLVE_PAUSE: Duration = Duration::from_millis(100);
/// How long to wait for the end of the process that served a broken connection.
const BACKEND_END_MS: i64 = 5_000;

/// A transaction. Dropped before its commit, it is rolled back behind the caller's back.
pub(crate) struct Transaction {
    inner: Arc<Inner>,
    pooled: Option<Pooled>,
}

/// What became of a commit.
pub(crate) enum Ended {
    /// It is durable; these are the answers to its statements.
    Answered(Vec<Vec<Row>>),
    /// It is durable, as the transaction's mark tells; the answers are lost.
    Unanswered {
        /// With this name the transaction can be asked for.
        slot: Uuid,
        /// And this number.
        mark: i64,
    },
    /// It did not take place.
    Nothing(StoreError),
}

impl Transaction {
    /// Begins a transaction together with its first questions, and answers them. Begun again when the connection had
    /// broken while it was free: nothing was written yet.
    pub(crate) async fn begin(
        inner: &Arc<Inner>,
        requests: Vec<Request<'_>>,
    ) -> Outcome<(Self, Vec<Vec<Row>>)> {
        let mut all = vec![Request::new("BEGIN", values![])];
        all.extend(requests);
        loop {
            let mut pooled = inner.pool.take().await?;
            let is_new = pooled.is_new;
            let answers = pooled.connection().fly(&all).await;
            let transaction = Self { inner: Arc::clone(inner), pooled: Some(pooled) };
            match answers {
                Ok(mut answers) => {
                    answers.remove(0);
                    return Ok((transaction, answers));
                }
                Err(failure) if failure.is_lost() && !is_new => {
                    transaction.discard();
                    inner.pool.forget_all();
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Asks further questions.
    pub(crate) async fn fly(&mut self, requests: &[Request<'_>]) -> Outcome<Vec<Vec<Row>>> {
        let pooled = self.pooled.as_mut().expect("it is taken out only at the end");
        pooled.connection().fly(requests).await
    }

    /// Sends the last statements and commits, in one round trip. An error says that nothing was written; except
    /// `Unavailable` when the database stayed away too long to be asked.
    pub(crate) async fn commit(mut self, requests: Vec<Request<'_>>) -> Outcome<()> {
        let mut pooled = self.pooled.take().expect("it is taken out only at the end");
        let (slot, mark) = (pooled.connection().slot(), pooled.connection().next_mark());
        let mut all = requests;
        all.push(Request::new("SELECT note_commit($1, $2)", values![slot, mark]));
        all.push(Request::new("COMMIT", values![]));
        match finish(&self.inner, pooled, &all, slot, mark).await? {
            Ended::Nothing(error) => return Err(Failure::Store(error)),
            Ended::Answered(_) | Ended::Unanswered { .. } => {}
        }
        self.inner.committed();
        Ok(())
    }

    fn discard(mut self) {
        self.pooled.take().into_iter().for_each(Pooled::discard);
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some(mut pooled) = self.pooled.take() else { return };
        self.inner.tasks.spawn(async move {
            if pooled.connection().fly(&[Request::new("ROLLBACK", values![])]).await.is_err() {
                pooled.discard();
            }
        });
    }
}

/// Runs a transaction of one round trip. The statement leaves the mark itself when it writes something, and answers no
/// rows otherwise. Run again when the connection had broken while it was free, and it did not take place.
pub(crate) async fn at_once<'a>(
    inner: &Arc<Inner>,
    statement: impl Fn(Uuid, i64) -> Request<'a>,
) -> Outcome<Ended> {
    loop {
        let mut pooled = inner.pool.take().await?;
        let is_new = pooled.is_new;
        let (slot, mark) = (pooled.connection().slot(), pooled.connection().next_mark());
        match finish(inner, pooled, &[statement(slot, mark)], slot, mark).await? {
            Ended::Nothing(_) if !is_new => inner.pool.forget_all(),
            ended => return Ok(ended),
        }
    }
}

/// Sends the end of a transaction, and finds out what became of it when the answer does not come.
async fn finish(
    inner: &Arc<Inner>,
    mut pooled: Pooled,
    requests: &[Request<'_>],
    slot: Uuid,
    mark: i64,
) -> Outcome<Ended> {
    let backend = pooled.connection().backend();
    let failure = match pooled.connection().fly(requests).await {
        Ok(answers) => return Ok(Ended::Answered(answers)),
        Err(failure) => failure,
    };
    // Whatever it was, the connection may be inside a transaction.
    pooled.discard();
    if !failure.is_lost() {
        // COMMIT after a failed statement rolls back.
        return Err(failure);
    }
    let error = StoreError::from(failure);
    tracing::warn!(%error, "a connection to the database broke in the middle of a commit");
    let committed = resolve(&inner.pool, backend, slot, mark).await?;
    Ok(if committed { Ended::Unanswered { slot, mark } } else { Ended::Nothing(error) })
}

/// Whether a transaction took place. Ends the process that serves the broken connection first: it may not have heard of
/// the break, and would commit after the question.
async fn resolve(pool: &Arc<Pool>, backend: Backend, slot: Uuid, mark: i64) -> Outcome<bool> {
    let attempts = async {
        loop {
            match ask(pool, backend, slot, mark).await {
                Ok(Some(committed)) => return committed,
                Ok(None) => {}
                Err(failure) => {
                    let error = StoreError::from(failure);
                    tracing::debug!(%error, "the database cannot tell yet what became of a commit");
                }
            }
            tokio::time::sleep(RESOLVE_PAUSE).await;
        }
    };
    let Ok(committed) = tokio::time::timeout(RESOLVE_MAX, attempts).await else {
        return Err(Failure::unavailable(format!(
            "the connection broke in the middle of a commit, and the database could not be asked for {} s whether it \
             took place",
            RESOLVE_MAX.as_secs()
        )));
    };
    pool.connector.counters.resolved();
    tracing::info!(committed, "the database told what became of a commit");
    Ok(committed)
}

async fn ask(pool: &Arc<Pool>, backend: Backend, slot: Uuid, mark: i64) -> Outcome<Option<bool>> {
    // Not from the pool: its connections may all wait for this.
    let mut connection = pool.connector.connect().await?;
    let end = Request::new(
        "SELECT pg_terminate_backend(pid, $3) FROM pg_stat_activity \
         WHERE pid = $1 AND (extract(epoch FROM backend_start) * 1000000)::bigint = $2",
        values![backend.pid, backend.started_at, BACKEND_END_MS],
    );
    let ended = connection.fly(&[end]).await?;
    let still_there = ended[0].iter().map(|row| row.try_get::<_, bool>(0)).collect::<Result<Vec<_>, _>>()?;
    if still_there.contains(&false) {
        return Ok(None);
    }
    let question =
        Request::new("SELECT 1::bigint FROM commit_mark WHERE slot = $1 AND mark = $2", values![slot, mark]);
    Ok(Some(!connection.fly(&[question]).await?[0].is_empty()))
}
