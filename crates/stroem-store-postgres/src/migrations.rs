//! Numbered migrations. `schema_version` holds the number of the last one that ran.

use stroem_store::StoreError;

use crate::{
    connection::{Connection, Request, values},
    failure::{Failure, Outcome},
};

/// Migrations, the first one first.
const MAIN: &[&str] = &[
    include_str!("sql/main-0001.sql"),
    include_str!("sql/main-0002.sql"),
    include_str!("sql/main-0003.sql"),
    include_str!("sql/main-0004.sql"),
];

/// Brings the schema to the newest version, in one transaction. Servers that start at once do it one after the other;
/// the later ones find it done.
pub(crate) async fn migrate(connection: &mut Connection, schema: &str) -> Outcome<()> {
    migrate_to(connection, schema, MAIN).await
}

async fn migrate_to(connection: &mut Connection, schema: &str, migrations: &[&str]) -> Outcome<()> {
    if version(connection, schema).await? == Some(migrations.len()) {
        return Ok(());
    }
    // Held by the connection, and taken before the transaction begins, so that the transaction sees what others did.
    let lock = "SELECT pg_advisory_lock(hashtextextended('stroem migrations ' || $1::text, 0))";
    connection.fly(&[Request::new(lock, values![schema.to_owned()])]).await?;
    connection.script("BEGIN").await?;
    let done = version(connection, schema).await?.unwrap_or(0);
    if done > migrations.len() {
        return Err(Failure::Store(StoreError::Corrupt(format!(
            "the schema `{schema}` has version {done}, this build reads up to {}: it was written by a newer version",
            migrations.len()
        ))));
    }
    if done == 0 {
        let frame = format!(
            "CREATE SCHEMA IF NOT EXISTS \"{schema}\"; \
             CREATE TABLE IF NOT EXISTS schema_version (version bigint NOT NULL)"
        );
        connection.script(&frame).await?;
    }
    for (number, sql) in (1_usize..).zip(migrations).skip(done) {
        connection.script(sql).await?;
        connection
            .script(&format!("DELETE FROM schema_version; INSERT INTO schema_version VALUES ({number})"))
            .await?;
    }
    connection.script("COMMIT").await?;
    let unlock = "SELECT pg_advisory_unlock(hashtextextended('stroem migrations ' || $1::text, 0))";
    connection.fly(&[Request::new(unlock, values![schema.to_owned()])]).await?;
    Ok(())
}

/// The version of the schema; none when there is no schema yet.
async fn version(connection: &mut Connection, schema: &str) -> Outcome<Option<usize>> {
    let there = Request::new(
        "SELECT to_regclass(quote_ident($1::text) || '.schema_version') IS NOT NULL",
        values![schema.to_owned()],
    );
    if !connection.fly(&[there]).await?[0][0].try_get::<_, bool>(0)? {
        return Ok(None);
    }
    let found = Request::new("SELECT coalesce(max(version), 0) FROM schema_version", values![]);
    let found: i64 = connection.fly(&[found]).await?[0][0].try_get(0)?;
    Ok(Some(usize::try_from(found).unwrap_or(usize::MAX)))
}
