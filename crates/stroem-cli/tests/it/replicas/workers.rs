//! Workers that talk to one server and are known by all.

use super::{cluster::Cluster, facts::database};
use crate::harness::{folder, wait_for};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn system_a_second_worker_of_one_name_is_refused_by_every_server() {
    let Some(database) = database("system_a_second_worker_of_one_name_is_refused_by_every_server") else {
        return;
    };
    let dir = folder("tasks:\n  t:\n    flow:\n      a: {type: script, script: echo ran}\n");
    let mut cluster = Cluster::start(&database.url(), &[dir.path(), dir.path()], "").await;
    cluster.worker_of(0, "w1", "").await;
    let first = cluster.servers[1].client.workers().await.expect("workers")[0].clone();
    let base = cluster.system.worker_dir("second");
    let address = format!("http://{}", cluster.servers[1].address);
    cluster.system.configure_worker("second", &address, "");
    let config = std::fs::read_to_string(base.join("worker.yaml")).expect("just written");
    let config = config.replace("worker_name: second", "worker_name: w1");
    std::fs::write(base.join("worker.yaml"), config).expect("written");
    cluster.system.spawn_worker("second");
    let log = cluster.system.dir().join("second.log");
    wait_for("it is refused twice", async || {
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        log.matches("the server refuses this worker").count() >= 2
    })
    .await;
    let workers = cluster.servers[1].client.workers().await.expect("workers");
    assert_eq!((workers.len(), workers[0].registered_at), (1, first.registered_at));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn system_a_worker_told_to_drain_by_one_server_gets_nothing_from_another() {
    let test = "system_a_worker_told_to_drain_by_one_server_gets_nothing_from_another";
    let Some(database) = database(test) else { return };
    let dir = folder("tasks:\n  t:\n    flow:\n      a: {type: script, script: echo ran}\n");
    let mut cluster = Cluster::start(&database.url(), &[dir.path(), dir.path()], "").await;
    cluster.worker_of(0, "w1", "").await;
    cluster.servers[1].client.drain("w1", true).await.expect("it drains");
    let job = cluster.servers[0].client.execute("default", "t", serde_json::Map::new()).await;
    let job = job.expect("a job").job_id;
    let explained = cluster.servers[0].client.explain(job, "a").await.expect("explained");
    assert_eq!(explained.status.as_str(), "ready", "{explained:?}");
    assert_eq!(explained.workers[0].remark.as_deref(), Some("drains"), "{explained:?}");
    cluster.servers[1].client.drain("w1", false).await.expect("it goes on");
    assert_eq!(cluster.system.ended(job).await.status.as_str(), "completed");
}
