//! Numbered migrations. A file's `user_version` is the number of the last one that ran.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};
use stroem_store::StoreError;

use crate::failure::{Failure, Outcome};

/// Migrations of `stroem.db`, the first one first.
pub(crate) const MAIN: &[&str] = &[include_str!("sql/main-0001.sql")];
/// Migrations of `logs.db`.
pub(crate) const LOGS: &[&str] = &[include_str!("sql/logs-0001.sql")];

/// Brings a file to the newest version, each step in one transaction.
pub(crate) fn migrate(connection: &mut Connection, file: &Path, migrations: &[&str]) -> Outcome<()> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    if done > migrations.len() {
        return Err(Failure::Store(StoreError::Corrupt(format!(
            "`{}` has version {found}, this build reads up to {}: it was written by a newer version",
            file.display(),
            migrations.len()
        ))));
    }
    for (number, sql) in (1_i64..).zip(migrations).skip(done) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}
