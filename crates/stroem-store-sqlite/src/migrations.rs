//! Numbered migrations. A file's `user_version` is the number of the last one that ran.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};
use stroem_store::StoreError;

use crate::failure::{Failure, Outcome};

/// Migrations of `stroem.db`, the first one first.
pub(crate) const MAIN: &[&str] = &[include_str!("sql/main-0001.sql"), include_str!("sql/main-0002.sql")];
/// Migrations of `logs.db`.
pub(crate) const LOGS: &[&str] = &[include_str!("sql/logs-0001.sql"), include_str!("sql/logs-0002.sql")];

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_that_were_sealed_by_version_1_stay_sealed() {
        let mut connection = Connection::open_in_memory().expect("opens");
        let file = Path::new("logs.db");
        migrate(&mut connection, file, &LOGS[..1]).expect("version 1");
        let rows = "INSERT INTO log (job, next_chunk_no, newest_at, blob_key) VALUES (x'01', 3, 9, 'logs/1'), (x'02', 2, 9, NULL)";
        connection.execute_batch(rows).expect("writes");
        migrate(&mut connection, file, LOGS).expect("the newest version");
        let unsealed = "SELECT group_concat(hex(job)) FROM log WHERE next_chunk_no > sealed_chunks";
        let unsealed: String = connection.query_row(unsealed, [], |row| row.get(0)).expect("reads");
        assert_eq!(unsealed, "02");
    }
}
