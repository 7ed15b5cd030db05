//! What servers on one database ask it when there is nothing to do, and what they find when nobody tells them.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use stroem_app::{App, AppOptions};
use stroem_core::{Secret, WorkspaceName};
use stroem_store_postgres::{Options, PostgresStore};
use stroem_testkit::postgres::{self, Database, Setup};

use super::{cluster::Cluster, facts::database};
use crate::{
    harness::{System, folder, wait_for},
    size::say,
};

const QUICK: &str = "tasks:\n  t:\n    flow:\n      a: {type: script, script: 'true'}\n";
const IDLE_WORKERS: usize = 20;
/// Longer than a poll is held open, so that each worker polls again once.
const IDLE_SECONDS: u64 = 26;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn system_twenty_idle_workers_of_two_servers_cost_less_than_five_queries_a_second() {
    let test = "system_twenty_idle_workers_of_two_servers_cost_less_than_five_queries_a_second";
    let database = match postgres::private(&Setup { statements: true, ..Setup::default() }) {
        Ok(server) => server,
        Err(missing) => return stroem_testkit::skip(test, &missing.0),
    };
    let dir = folder(QUICK);
    let mut cluster = Cluster::start(&database.url("postgres"), &[dir.path(), dir.path()], "").await;
    for number in 0..IDLE_WORKERS {
        let address = format!("http://{}", cluster.servers[number % 2].address);
        let name = format!("w{number}");
        cluster.system.configure_worker(&name, &address, "");
        cluster.system.spawn_worker(&name);
    }
    wait_for("all are there", async || {
        let workers = cluster.system.client.workers().await.unwrap_or_default();
        workers.iter().filter(|worker| worker.status == "active").count() == IDLE_WORKERS
    })
    .await;
    let job = cluster.system.execute("t").await;
    assert_eq!(cluster.system.ended(job).await.status.as_str(), "completed");
    let before = database.statements().len();
    // What is counted is what happens in this time.
    tokio::time::sleep(Duration::from_secs(IDLE_SECONDS)).await;
    let asked = database.statements().split_off(before);
    say(&format!("{IDLE_WORKERS} idle workers, two servers, {IDLE_SECONDS} s: {} statements", asked.len()));
    let limit = usize::try_from(5 * IDLE_SECONDS).expect("small");
    assert!(asked.len() < limit, "{} statements:\n{}", asked.len(), asked.join("\n"));
}

async fn server(database: &Database, folder: &Path, data: &Path, key: &Path) -> (App, stroem_server::Served) {
    let options = Options { hints: false, ..Options::default() };
    let store = Arc::new(PostgresStore::open(&database.url(), options).await.expect("a store"));
    let name = WorkspaceName::new("default").expect("a name");
    let folders = BTreeMap::from([(name, folder.to_owned())]);
    let mut options = AppOptions::new(Secret::new("t0ken".to_owned()), data.to_owned(), folders);
    options.key_file = key.to_owned();
    let app = App::start_shared(options, store.clone(), store).await.expect("it starts");
    let address = "127.0.0.1:0".parse().expect("an address");
    let router = stroem_server::router(app.clone());
    let served = stroem_server::serve(&app, router, address, false).await.expect("served");
    (app, served)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn system_servers_that_cannot_tell_each_other_find_all_the_same() {
    let test = "system_servers_that_cannot_tell_each_other_find_all_the_same";
    let Some(database) = database(test) else { return };
    let dir = folder(
        "tasks:\n  t:\n    flow:\n      a: {type: script, script: 'true'}\n      b: {type: script, depends_on: [a], script: sleep 1000}\n",
    );
    let data = tempfile::tempdir().expect("a directory");
    let key = data.path().join("key");
    let (one, one_served) = server(&database, dir.path(), &data.path().join("one"), &key).await;
    let (other, other_served) = server(&database, dir.path(), &data.path().join("other"), &key).await;
    let first = System::of_server_at(&format!("http://{}", one_served.address));
    let mut second = System::of_server_at(&format!("http://{}", other_served.address));
    second.start_worker("w1", "").await;
    let job = first.execute("t").await;
    first.step_is(job, "b", "running").await;
    first.client.cancel(job).await.expect("cancelled");
    assert_eq!(first.ended(job).await.status.as_str(), "cancelled");
    drop(second);
    for app in [one, other] {
        app.stop().await;
    }
    one_served.stopped().await;
    other_served.stopped().await;
}
