//! A server from its configuration to its end.

use std::sync::Arc;

use anyhow::Context;
use stroem_app::{App, SharedStore};
use stroem_store::{ReplicaStore, Store};
use tokio_util::sync::CancellationToken;

use crate::{Access, ServerConfig, guarded_router, serve, sole::Sole};

/// A store, twice: for the application, and for what concerns other servers.
#[derive(Clone)]
pub struct Stores {
    /// For the application.
    pub store: SharedStore,
    /// For what concerns other servers.
    pub replicas: Arc<dyn ReplicaStore>,
}

impl Stores {
    /// Of one store.
    pub fn of(store: Arc<impl Store + ReplicaStore + 'static>) -> Self {
        Self { store: Arc::clone(&store) as SharedStore, replicas: store }
    }
}

/// Runs a server on this store until it is told to stop.
///
/// # Errors
/// When the address is taken, the data directory cannot be used, or another server has the store.
pub async fn run(config: &ServerConfig, stores: Stores, shutdown: CancellationToken) -> anyhow::Result<()> {
    let sole = Sole::become_it(stores.replicas.as_ref()).await?;
    let app = App::start(config.app_options(), stores.store).await.context("the server cannot start")?;
    app.metrics().lead(true);
    let access = Access::new(&config.auth, config.open_metrics);
    let open_to_all = access.is_closed() || config.allow_unauthenticated;
    let served = serve(&app, guarded_router(app.clone(), access), config.listen, open_to_all).await?;
    tracing::info!(address = %served.address, "server listens");
    let ended = tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        error = sole.keep(stores.replicas.as_ref()) => Err(error.into()),
    };
    tracing::info!("server stops");
    app.stop().await;
    served.stopped().await;
    ended
}
