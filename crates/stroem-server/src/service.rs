//! A server from its configuration to its end.

use std::sync::Arc;

use anyhow::Context;
use stroem_app::{App, SharedStore};
use stroem_store::{ReplicaStore, Store};
use tokio_util::sync::CancellationToken;

use crate::{Access, ServerConfig, guarded_router, serve};

/// A store as the application takes it.
#[derive(Clone)]
pub struct Stores {
    /// The store.
    pub store: SharedStore,
    /// What concerns other servers of it; none when there cannot be any.
    pub replicas: Option<Arc<dyn ReplicaStore>>,
}

impl Stores {
    /// A store that one server has for itself.
    pub fn alone(store: Arc<impl Store + 'static>) -> Self {
        Self { store, replicas: None }
    }

    /// A store that several servers may share.
    pub fn shared(store: Arc<impl Store + ReplicaStore + 'static>) -> Self {
        Self { store: Arc::clone(&store) as SharedStore, replicas: Some(store) }
    }
}

/// Runs a server on this store until it is told to stop.
///
/// # Errors
/// When the address is taken, the data directory cannot be used, or other servers of the store have another key.
pub async fn run(config: &ServerConfig, stores: Stores, shutdown: CancellationToken) -> anyhow::Result<()> {
    let options = config.app_options();
    let app = match stores.replicas {
        Some(replicas) => App::start_shared(options, stores.store, replicas).await,
        None => App::start(options, stores.store).await,
    };
    let app = app.context("the server cannot start")?;
    let access = Access::new(&config.auth, config.open_metrics);
    let open_to_all = access.is_closed() || config.allow_unauthenticated;
    let served = serve(&app, guarded_router(app.clone(), access), config.listen, open_to_all).await?;
    tracing::info!(address = %served.address, "server listens");
    shutdown.cancelled().await;
    tracing::info!("server stops");
    app.stop().await;
    served.stopped().await;
    Ok(())
}
