//! The leadership among servers on one database: an advisory lock of a connection that is kept for it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use stroem_store::{Leadership, StoreError};
use tokio_postgres::Client;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{failure::Outcome, store::Inner};

/// How often the leader looks whether its connection lives.
const PROBE: Duration = Duration::from_secs(5);
/// How long the answer may take.
const PROBE_MAX: Duration = Duration::from_secs(5);

/// The leadership. Dropped, the lock is free; it is lost when its connection ends, or does not answer for 10 seconds.
pub(crate) struct LeaderGuard {
    lost: CancellationToken,
    _held: DropGuard,
}

#[async_trait]
impl Leadership for LeaderGuard {
    async fn lost(&self) {
        self.lost.cancelled().await;
    }
}

/// Takes the lock if nobody has it.
pub(crate) async fn try_lead(inner: &Arc<Inner>) -> Result<Option<LeaderGuard>, StoreError> {
    let Some((client, ended)) = lock(inner).await? else { return Ok(None) };
    let (lost, given_up) = (CancellationToken::new(), CancellationToken::new());
    let guard = LeaderGuard { lost: lost.clone(), _held: given_up.clone().drop_guard() };
    let closed = inner.closed.clone();
    inner.tasks.spawn(async move {
        let lost = lost.drop_guard();
        tokio::select! {
            () = given_up.cancelled() => {}
            () = closed.cancelled() => {}
            () = ended.cancelled() => tracing::warn!("the connection of the leadership ended"),
            () = silence(&client) => tracing::warn!("the connection of the leadership does not answer"),
        }
        // First nobody leads, then the lock is free: it goes with the connection.
        drop(lost);
        drop(client);
    });
    Ok(Some(guard))
}

/// Who does not lead keeps the connection for its next try. It asks and does not wait in the database: a statement that
/// waits there keeps everything that is dead since its begin from being cleaned away.
pub(crate) async fn lock(inner: &Inner) -> Outcome<Option<(Client, CancellationToken)>> {
    let connector = &inner.pool.connector;
    let mut standby = inner.standby.lock().await;
    let kept = standby.take().filter(|(client, _)| !client.is_closed());
    let (client, ended) = match kept {
        Some(kept) => kept,
        None => {
            let opened = connector.open(None).await?;
            opened.0.batch_execute(OF_THE_LEADER).await?;
            opened
        }
    };
    let sql = "SELECT pg_try_advisory_lock(hashtextextended('stroem leader ' || $1::text, 0))";
    let taken: bool = client.query_one(sql, &[&connector.options.schema]).await?.try_get(0)?;
    if taken {
        return Ok(Some((client, ended)));
    }
    *standby = Some((client, ended));
    Ok(None)
}

/// A leader whose process hangs, or whose machine is gone without a word, does not keep the lock.
const OF_THE_LEADER: &str = "SET idle_session_timeout = '15s'; SET tcp_keepalives_idle = 2; \
                             SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 2";

/// Ends when the connection does not answer in time.
async fn silence(client: &Client) {
    loop {
        tokio::time::sleep(PROBE).await;
        match tokio::time::timeout(PROBE_MAX, client.batch_execute("")).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}
