//! An empty store in a database of its own.

use std::time::Duration;

use stroem_store_postgres::{Options, PostgresStore};
use stroem_testkit::postgres::{self, Database};

/// A new store and its database; none where there is no PostgreSQL.
pub(crate) async fn fresh(test: &str) -> Option<(PostgresStore, Database)> {
    let database = database(test)?;
    Some((open(&database).await, database))
}

/// A new database; none where there is no PostgreSQL.
pub(crate) fn database(test: &str) -> Option<Database> {
    match postgres::shared() {
        Ok(server) => Some(server.database()),
        Err(missing) => {
            stroem_testkit::skip(test, &missing.0);
            None
        }
    }
}

/// A store in a database.
pub(crate) async fn open(database: &Database) -> PostgresStore {
    PostgresStore::open(&database.url(), Options::default()).await.expect("opens")
}

/// Waits for a state.
pub(crate) async fn until<T>(state: impl Fn() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = state() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), found).await.expect("the state comes within a minute")
}
