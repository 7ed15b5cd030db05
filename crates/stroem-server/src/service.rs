//! A server from its configuration to its end.

use anyhow::Context;
use stroem_app::{App, SharedStore};
use tokio_util::sync::CancellationToken;

use crate::{ServerConfig, router, serve};

/// Runs a server on this store until it is told to stop.
///
/// # Errors
/// When the address is taken, or the data directory cannot be used.
pub async fn run(
    config: &ServerConfig,
    store: SharedStore,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let app = App::start(config.app_options(), store).await.context("the server cannot start")?;
    let served = serve(&app, router(app.clone()), config.listen, config.allow_unauthenticated).await?;
    tracing::info!(address = %served.address, "server listens");
    shutdown.cancelled().await;
    tracing::info!("server stops");
    app.stop().await;
    served.stopped().await;
    Ok(())
}
