//! Both ends of moving a store: a data directory that is read, and one that is written.

mod export;
mod import;

pub use export::SqliteExport;
pub use import::SqliteImport;
use stroem_store::transfer::Table;

/// Tables of the file for logs.
const LOG_TABLES: &[&str] = &["log", "log_attempt", "log_chunk"];

/// Which of the two files has a table.
fn is_log(table: &Table) -> bool {
    LOG_TABLES.contains(&table.name)
}

fn column_list(table: &Table) -> String {
    let names: Vec<_> = table.columns.iter().map(|column| column.name).collect();
    names.join(", ")
}

fn count_sql(table: &Table) -> String {
    format!("SELECT count(*) FROM {}", table.name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rusqlite::Connection;
    use stroem_store::transfer::TABLES;

    use super::*;
    use crate::migrations::{LOGS, MAIN};

    /// Tables that are not moved: what triggers keep, and the fence, which is moved as a number.
    const DERIVED: &[&str] = &["job_count", "fence"];

    #[test]
    fn every_table_and_column_is_moved_or_derived() {
        let mut found = BTreeSet::new();
        for (migrations, logs) in [(MAIN, false), (LOGS, true)] {
            let connection = Connection::open_in_memory().expect("opens");
            migrations.iter().for_each(|sql| connection.execute_batch(sql).expect("migrates"));
            let sql = "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table'";
            let mut statement = connection.prepare(sql).expect("prepares");
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("reads");
            found.extend(rows.map(|row| row.map(|(table, column)| (table, column, logs)).expect("reads")));
        }
        found.retain(|(table, _, _): &(String, String, bool)| !DERIVED.contains(&table.as_str()));
        let moved: BTreeSet<_> = TABLES
            .iter()
            .flat_map(|table| table.columns.iter().map(move |column| (table, column.name)))
            .map(|(table, column)| (table.name.to_owned(), column.to_owned(), is_log(table)))
            .collect();
        assert_eq!(moved, found);
    }
}
