//! The program `stroem-server`: a server with the embedded store, configured by the file that `STROEM_CONFIG` names.

use std::{io::IsTerminal, process::ExitCode, sync::Arc};

use anyhow::Context;
use stroem_config::Source;
use stroem_server::{Database, ServerConfig, Stores};
use stroem_store_postgres::{Options, PostgresStore};
use stroem_store_sqlite::SqliteStore;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_max_level(tracing::Level::INFO)
        .init();
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> anyhow::Result<()> {
    let config = config()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let stores = open(&config.database).await?;
        let shutdown = CancellationToken::new();
        let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let stopping = shutdown.clone();
        let waiting = async move {
            tokio::select! {
                _ = term.recv() => {}
                _ = interrupt.recv() => {}
            }
            stopping.cancel();
        };
        let running = stroem_server::run(&config, stores, shutdown);
        tokio::pin!(running);
        tokio::select! {
            result = &mut running => result,
            () = waiting => running.await,
        }
    })
}

async fn open(database: &Database) -> anyhow::Result<Stores> {
    Ok(match database {
        Database::Sqlite { dir } => Stores::alone(Arc::new(SqliteStore::open(dir)?)),
        Database::Postgres { url, max_connections } => {
            let options = Options { connections: *max_connections, ..Options::default() };
            Stores::shared(Arc::new(PostgresStore::open(url.expose(), options).await?))
        }
    })
}

#[expect(clippy::disallowed_methods, reason = "the program's one look at its environment")]
fn config() -> anyhow::Result<ServerConfig> {
    let file = std::env::var("STROEM_CONFIG").unwrap_or_else(|_| "server-config.yaml".to_owned());
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("cannot read {file}: set STROEM_CONFIG to the server's configuration"))?;
    let environment: Vec<_> = std::env::vars().collect();
    ServerConfig::load(Source { file: &file, text: &text, environment: &environment }).map_err(|problems| {
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}", lines.join("\n"))
    })
}
