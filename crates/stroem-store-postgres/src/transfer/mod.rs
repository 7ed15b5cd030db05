//! Both ends of moving a store: a schema that is read, and one that is written.

mod export;
mod import;
mod session;

pub use export::PostgresExport;
pub use import::PostgresImport;
use stroem_store::transfer::{Kind, Table};
use tokio_postgres::types::Type;

/// Columns that only this store has, and what a moved row has there: no transaction of a claim, see `commit_mark`.
const OWN_COLUMNS: &[(&str, &[&str])] = &[("lease", &["slot", "mark"])];

fn own_columns(table: &Table) -> &'static [&'static str] {
    OWN_COLUMNS.iter().find(|(name, _)| *name == table.name).map_or(&[], |(_, columns)| columns)
}

fn type_of(kind: Kind) -> Type {
    match kind {
        Kind::Id => Type::UUID,
        Kind::Bytes => Type::BYTEA,
        Kind::Integer => Type::INT8,
        Kind::Flag => Type::BOOL,
        Kind::Text => Type::TEXT,
    }
}

fn column_list(table: &Table) -> String {
    let names: Vec<_> = table.columns.iter().map(|column| column.name).collect();
    names.join(", ")
}

fn count_sql(table: &Table) -> String {
    format!("SELECT count(*) FROM {}", table.name)
}
