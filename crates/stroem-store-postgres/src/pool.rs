//! Connections for operations: at most so many, opened when needed, thrown away when they broke.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::Row;

use crate::{
    connection::{Connection, Connector, Request},
    failure::{Failure, Outcome},
};

/// How long an operation waits for a connection that others use.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// The pool.
pub(crate) struct Pool {
    pub(crate) connector: Connector,
    free: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Pool {
    pub(crate) fn new(connector: Connector) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(connector.options.connections as usize));
        Arc::new(Self { connector, free: Mutex::default(), permits })
    }

    fn free(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection, opens one when none is free.
    pub(crate) async fn take(self: &Arc<Self>) -> Outcome<Pooled> {
        let permit = tokio::time::timeout(WAIT_MAX, Arc::clone(&self.permits).acquire_owned()).await;
        let busy = || Failure::unavailable(format!("all connections are busy for {} s", WAIT_MAX.as_secs()));
        let permit = permit.map_err(|_| busy())?.map_err(|_| Failure::unavailable("the store is closed"))?;
        let found = {
            let mut free = self.free();
            free.retain(|connection| !connection.is_closed());
            free.pop()
        };
        let (connection, is_new) = match found {
            Some(connection) => (connection, false),
            None => (self.connector.connect().await?, true),
        };
        Ok(Pooled { connection: Some(connection), is_new, pool: Arc::clone(self), _permit: permit })
    }

    /// Asks questions that change nothing, or the same however often they are asked. A connection that broke while it
    /// lay in the pool is replaced once.
    pub(crate) async fn fly(self: &Arc<Self>, requests: &[Request<'_>]) -> Outcome<Vec<Vec<Row>>> {
        let mut pooled = self.take().await?;
        match pooled.connection().fly(requests).await {
            Err(failure) if failure.is_lost() && !pooled.is_new => {
                drop(pooled);
                self.forget_all();
                self.take().await?.connection().fly(requests).await
            }
            answer => answer,
        }
    }

    /// Throws away all free connections: one of them was broken, so all may be.
    pub(crate) fn forget_all(&self) {
        self.free().clear();
    }

    /// Gives no more connections.
    pub(crate) fn close(&self) {
        self.permits.close();
        self.forget_all();
    }
}

/// A connection that goes back to its pool when it is dropped, if it is whole.
pub(crate) struct Pooled {
    connection: Option<Connection>,
    /// It was opened just now.
    pub(crate) is_new: bool,
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

impl Pooled {
    pub(crate) fn connection(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("it is taken out only when it is dropped or thrown away")
    }

    /// Throws the connection away.
    pub(crate) fn discard(mut self) {
        self.connection = None;
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && !connection.is_closed()
            && !self.pool.permits.is_closed()
        {
            self.pool.free().push(connection);
        }
    }
}
