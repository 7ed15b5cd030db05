//! Opens the store that a configuration describes, for both programs that read one. The rest of this library knows stores
//! by their ports only.

use std::sync::Arc;

use stroem_store::StoreError;
use stroem_store_postgres::{Options, PostgresStore};
use stroem_store_sqlite::SqliteStore;

use crate::{Database, Stores};

/// Opens the store of a database.
///
/// # Errors
/// As [`SqliteStore::open`] and [`PostgresStore::open`].
pub async fn open(database: &Database) -> Result<Stores, StoreError> {
    Ok(match database {
        Database::Sqlite { dir } => Stores::alone(Arc::new(SqliteStore::open(dir)?)),
        Database::Postgres { url, max_connections } => {
            let options = Options { connections: *max_connections, ..Options::default() };
            Stores::shared(Arc::new(PostgresStore::open(url.expose(), options).await?))
        }
    })
}
