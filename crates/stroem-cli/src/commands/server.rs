//! `stroem server`

use std::{path::PathBuf, sync::Arc};

use stroem_server::{Database, ServerConfig, Stores};
use stroem_store::StoreError;
use stroem_store_postgres::{Options, PostgresStore};
use stroem_store_sqlite::SqliteStore;
use tokio_util::sync::CancellationToken;

use crate::{
    compose::{config, logging, process},
    exit::Exit,
    failure::Failure,
    runtime,
    terminal::Terminal,
};

/// Options of `stroem server`.
#[derive(Debug, clap::Args)]
pub(crate) struct Server {
    /// The configuration
    #[arg(
        long,
        env = "STROEM_CONFIG",
        hide_env_values = true,
        default_value = "server-config.yaml",
        value_name = "FILE"
    )]
    config: PathBuf,
}

impl Server {
    pub(crate) fn run(self, _terminal: &Terminal) -> Result<Exit, Failure> {
        let config = config::read(&self.config, ServerConfig::load)?;
        logging::start("info");
        runtime::serving(async {
            let stores =
                open(&config.database).await.map_err(|error| Failure::environment(error.to_string()))?;
            let shutdown = CancellationToken::new();
            let running = async {
                let result = stroem_server::run(&config, stores, shutdown.clone()).await;
                shutdown.cancel();
                result.map_err(|error| Failure::environment(format!("{error:#}")))
            };
            let (result, told) = tokio::join!(running, process::until_told(shutdown.clone()));
            result.and(told).map(|()| Exit::Done)
        })
    }
}

async fn open(database: &Database) -> Result<Stores, StoreError> {
    Ok(match database {
        Database::Sqlite { dir } => Stores::alone(Arc::new(SqliteStore::open(dir)?)),
        Database::Postgres { url, max_connections } => {
            let options = Options { connections: *max_connections, ..Options::default() };
            Stores::shared(Arc::new(PostgresStore::open(url.expose(), options).await?))
        }
    })
}
