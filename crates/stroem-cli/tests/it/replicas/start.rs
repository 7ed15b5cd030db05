//! Servers that begin, and those that may not.

use super::{cluster::Cluster, facts::database};
use crate::harness::{folder, stroem};

const QUICK: &str = "tasks:\n  t:\n    flow:\n      a: {type: script, script: 'true'}\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn system_servers_that_start_at_once_on_an_empty_database_share_it() {
    let test = "system_servers_that_start_at_once_on_an_empty_database_share_it";
    let Some(database) = database(test) else { return };
    let dir = folder(QUICK);
    let mut cluster = Cluster::start(&database.url(), &[dir.path(), dir.path(), dir.path()], "").await;
    cluster.worker_of(2, "w1", "").await;
    for server in &cluster.servers {
        let job = server.client.execute("default", "t", serde_json::Map::new()).await.expect("a job").job_id;
        assert_eq!(cluster.system.ended(job).await.status.as_str(), "completed");
    }
    cluster.leader().await;
    let leaders = cluster.servers.iter().filter(|server| server.log().contains("this server leads")).count();
    assert_eq!(leaders, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn system_a_server_with_another_key_is_refused() {
    let Some(database) = database("system_a_server_with_another_key_is_refused") else { return };
    let dir = folder(QUICK);
    let cluster = Cluster::start(&database.url(), &[dir.path()], "").await;
    let second = tempfile::tempdir().expect("a directory");
    let config = second.path().join("server.yaml");
    let text = format!(
        "listen: 127.0.0.1:0\ndata_dir: {}\nworker_token: t\ndb: {{url: '{}'}}\n",
        second.path().join("data").display(),
        database.url()
    );
    std::fs::write(&config, text).expect("written");
    let path = config.to_str().expect("UTF-8").to_owned();
    let ran =
        tokio::task::spawn_blocking(move || stroem(&["server", "--config", &path])).await.expect("it ends");
    let told = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(ran.status.code(), Some(6), "{told}");
    assert!(told.contains("secret.key") && told.contains("key_file"), "{told}");
    assert!(!second.path().join("data/secret.key").exists(), "the key that nobody needs is gone");
    cluster.servers[0].answers().await;
}
