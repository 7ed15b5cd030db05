//! One server for each database, in this version: what several would have to tell each other is not told yet, so a second
//! one is refused instead of judging the first one's workers.

use std::time::Duration;

use stroem_store::{Leadership, ReplicaStore, StoreError};

/// Why this server cannot be the only one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SoleError {
    /// Another one has the database.
    #[error("another server uses this database; this version runs one server for each database")]
    Taken,
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How often it is tried to become the only one again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long another server may have the database, after its restart, before this one gives up.
const PATIENCE: u32 = 10;

/// The right to be this database's server.
pub(crate) struct Sole(Box<dyn Leadership>);

impl Sole {
    /// Takes it. An earlier server's connection may need a moment to end.
    pub(crate) async fn become_it(store: &dyn ReplicaStore) -> Result<Self, SoleError> {
        for _ in 0..PATIENCE {
            match store.try_lead().await {
                Ok(Some(leadership)) => return Ok(Self(leadership)),
                Ok(None) => tracing::warn!("another server has this database; waiting for it to end"),
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(AGAIN).await;
        }
        Err(SoleError::Taken)
    }

    /// Keeps it over restarts of the database. Ends when another server has it.
    pub(crate) async fn keep(mut self, store: &dyn ReplicaStore) -> SoleError {
        loop {
            self.0.lost().await;
            let mut patience = PATIENCE;
            self = loop {
                match store.try_lead().await {
                    Ok(Some(leadership)) => break Self(leadership),
                    Ok(None) if patience == 0 => return SoleError::Taken,
                    Ok(None) => patience -= 1,
                    Err(error) => tracing::warn!(%error, "the database does not answer"),
                }
                tokio::time::sleep(AGAIN).await;
            };
        }
    }
}
