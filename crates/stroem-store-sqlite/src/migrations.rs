//! Numbered migrations. A file's `user_version` is the number of the last one that ran.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};
use stroem_store::StoreError;

use crate::failure::{Failure, Outcome};

/// Migrations of `stroem.db`, the first one first.
pub(crate) const MAIN: &[&str] = &[
    include_str!("sql/main-0001.sql"),
    include_str!("sql/main-0002.sql"),
    include_str!("sql/main-0003.sql"),
];
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

    #[test]
    fn jobs_that_are_there_are_counted_by_task() {
        let mut connection = Connection::open_in_memory().expect("opens");
        let file = Path::new("stroem.db");
        migrate(&mut connection, file, &MAIN[..1]).expect("version 1");
        let job = |id: u8, task: &str, shown: u8| {
            format!(
                "INSERT INTO job (id, workspace, task, revision, plan, source_type, status, shown, version, priority, \
                 open_steps, failed_steps, skipped_steps, created_at) \
                 VALUES (x'0{id}', 'w', '{task}', 'r', x'00', 'api', {shown}, {shown}, 1, 0, 0, 0, 0, 0)"
            )
        };
        for sql in [job(1, "a", 2), job(2, "a", 2), job(3, "b", 1)] {
            connection.execute_batch(&sql).expect("writes");
        }
        migrate(&mut connection, file, MAIN).expect("the newest version");
        connection.execute_batch(&job(4, "b", 1)).expect("writes");
        connection.execute_batch("UPDATE job SET shown = 3 WHERE id = x'03'").expect("writes");
        let counts = "SELECT group_concat(task || shown || ':' || jobs) FROM job_count WHERE jobs > 0 ORDER BY task, shown";
        let counts: String = connection.query_row(counts, [], |row| row.get(0)).expect("reads");
        assert_eq!(counts, "a2:2,b1:1,b3:1");
    }
}
