//! TLS with a server whose certificate nobody knows.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use stroem_store::{
    JobStore as _, StoreError,
    conformance::support::{create, fan},
};
use stroem_store_postgres::{Options, PostgresStore};
use stroem_testkit::postgres::{self, Setup};

/// A certificate for `host`, signed by itself, and its key.
fn self_signed(dir: &Path, name: &str, host: &str) -> (PathBuf, PathBuf) {
    let (certificate, key) = (dir.join(format!("{name}.crt")), dir.join(format!("{name}.key")));
    let made = Command::new("openssl")
        .args(["req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj"])
        .arg(format!("/CN={host}"))
        .args(["-addext", &format!("subjectAltName=DNS:{host}"), "-out"])
        .arg(&certificate)
        .arg("-keyout")
        .arg(&key)
        .output();
    let made = made.expect("openssl starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (certificate, key)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mode_decides_whom_the_store_talks_to() {
    let dir = tempfile::tempdir().expect("a directory");
    let (certificate, key) = self_signed(dir.path(), "server", "localhost");
    let (stranger, _) = self_signed(dir.path(), "stranger", "localhost");
    let setup = Setup { tcp: true, tls: Some((certificate.clone(), key)), ..Setup::default() };
    let server = match postgres::private(&setup) {
        Ok(server) => server,
        Err(missing) => return stroem_testkit::skip("the_mode_decides_whom_the_store_talks_to", &missing.0),
    };
    let port = server.port();
    let database = server.database();
    let (own, other) = (certificate.display(), stranger.display());
    for (host, query, encrypted) in [
        ("localhost", "sslmode=disable".to_owned(), Some(false)),
        ("localhost", "sslmode=prefer".to_owned(), Some(true)),
        ("localhost", String::new(), Some(true)),
        ("localhost", "sslmode=require".to_owned(), Some(true)),
        ("localhost", format!("sslmode=verify-full&sslrootcert={own}"), Some(true)),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={own}"), Some(true)),
        ("127.0.0.1", format!("sslmode=require&sslrootcert={own}"), Some(true)),
        ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={own}"), None),
        ("localhost", format!("sslmode=verify-full&sslrootcert={other}"), None),
        ("localhost", format!("sslmode=verify-ca&sslrootcert={other}"), None),
        ("localhost", format!("sslmode=require&sslrootcert={other}"), None),
        ("localhost", "sslmode=verify-full&sslrootcert=/nowhere.pem".to_owned(), None),
    ] {
        let url = format!("postgresql://postgres@{host}:{port}/{}?{query}", database.name());
        let opened = PostgresStore::open(&url, Options::default()).await;
        let Some(encrypted) = encrypted else {
            let refused = opened.err();
            assert!(matches!(refused, Some(StoreError::Unavailable(_))), "{host} {query}: {refused:?}");
            continue;
        };
        let store = opened.unwrap_or_else(|error| panic!("{host} {query}: {error}"));
        store.counts().await.expect("reads");
        let found = database.psql(
            "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
             WHERE application_name = 'stroem' AND datname = current_database()",
        );
        assert_eq!(found, if encrypted { "t" } else { "f" }, "{host} {query}");
        store.close().await;
    }
    let url = format!("postgresql://postgres@localhost:{port}/{}?sslmode=require", database.name());
    let store = PostgresStore::open(&url, Options::default()).await.expect("opens");
    create(&store, 1, fan(1_000)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_tls_is_refused_when_tls_is_required() {
    let server = match postgres::private(&Setup { tcp: true, ..Setup::default() }) {
        Ok(server) => server,
        Err(missing) => {
            return stroem_testkit::skip("a_server_without_tls_is_refused_when_tls_is_required", &missing.0);
        }
    };
    let url =
        |mode: &str| format!("postgresql://postgres@127.0.0.1:{}/postgres?sslmode={mode}", server.port());
    let refused = PostgresStore::open(&url("require"), Options::default()).await.err();
    assert!(matches!(refused, Some(StoreError::Unavailable(_))), "{refused:?}");
    PostgresStore::open(&url("prefer"), Options::default()).await.expect("opens");
}
