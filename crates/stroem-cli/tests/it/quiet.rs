//! What the parts ask of each other when there is little or nothing to do, counted and never timed.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc, time::Duration};

use stroem_app::{App, AppOptions};
use stroem_core::{Secret, WorkspaceName};
use stroem_store_sqlite::SqliteStore;
use tokio::sync::mpsc;

use crate::{
    chaos::{Plan, Proxy},
    harness::{System, folder, wait_for},
    size::say,
};

const CHAIN: u64 = 20;
const IDLE_WORKERS: usize = 20;
/// Longer than a poll is held open, so that each worker polls again once.
const IDLE_SECONDS: u64 = 26;

fn no_faults() -> Arc<Plan> {
    Arc::new(Plan::new(Vec::new(), 0))
}

/// Runs a chain through a proxy; how often the worker polled from before its start to after its end.
async fn polls_of_a_chain(slots: u32) -> u64 {
    let mut text = "tasks:\n  t:\n    flow:\n      s1: {type: script, script: 'true'}\n".to_owned();
    for step in 2..=CHAIN {
        let before = step - 1;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "      s{step}: {{type: script, script: 'true', depends_on: [s{before}]}}");
    }
    let dir = folder(&text);
    let mut system = System::without_workers(dir.path(), "").await;
    let (sender, _orders) = mpsc::channel(1);
    let proxy = Proxy::start(&system.address, "w1", &no_faults(), sender).await;
    // A pause of that length anywhere, and the chain does not end within this test.
    system.configure_worker(
        "w1",
        &proxy.address,
        &format!("poll_interval_secs: 86400\nmax_concurrent: {slots}"),
    );
    system.spawn_worker("w1");
    wait_for("the worker polls", async || proxy.requests("/worker/poll") > 0).await;
    let job = system.execute("t").await;
    assert_eq!(system.ended(job).await.status.as_str(), "completed");
    say(&format!(
        "{slots} slots: {} polls, {} requests",
        proxy.requests("/worker/poll"),
        proxy.all_requests()
    ));
    proxy.requests("/worker/poll")
}

#[tokio::test]
async fn system_a_chain_of_twenty_steps_takes_one_poll_each() {
    // One for each step, and the one that is open before the first and after the last.
    assert!(polls_of_a_chain(4).await <= CHAIN + 1);
}

#[tokio::test]
async fn system_a_worker_with_one_slot_polls_twice_a_step_at_most() {
    // When the only slot is taken, a poll for kills alone is open, and it is overtaken when the slot is free.
    assert!(polls_of_a_chain(1).await <= 2 * CHAIN + 1);
}

#[tokio::test]
async fn system_twenty_idle_workers_cost_less_than_five_queries_a_second() {
    let dir = folder("tasks:\n  t:\n    flow:\n      a: {type: script, script: 'true'}\n");
    let data = tempfile::tempdir().expect("a directory");
    let store = Arc::new(SqliteStore::open(data.path()).expect("a store"));
    let name = WorkspaceName::new("default").expect("a name");
    let folders = BTreeMap::from([(name, dir.path().to_owned())]);
    let options = AppOptions::new(Secret::new("t0ken".to_owned()), data.path().to_owned(), folders);
    let app = App::start(options, store.clone()).await.expect("it starts");
    let address = "127.0.0.1:0".parse().expect("an address");
    let served =
        stroem_server::serve(&app, stroem_server::router(app.clone()), address, false).await.expect("served");
    let mut system = System::of_server_at(&format!("http://{}", served.address));
    let (sender, _orders) = mpsc::channel(1);
    let plan = no_faults();
    let mut proxies = Vec::new();
    for number in 0..IDLE_WORKERS {
        let name = format!("w{number}");
        let proxy = Proxy::start(&system.address, &name, &plan, sender.clone()).await;
        system.configure_worker(&name, &proxy.address, "poll_interval_secs: 1");
        system.spawn_worker(&name);
        proxies.push(proxy);
    }
    // A job, so that there is a queue to look into.
    let job = system.execute("t").await;
    assert_eq!(system.ended(job).await.status.as_str(), "completed");
    wait_for("all poll", async || proxies.iter().all(|proxy| proxy.requests("/worker/poll") > 0)).await;
    let before: Vec<_> =
        proxies.iter().map(|proxy| (proxy.requests("/worker/poll"), proxy.all_requests())).collect();
    let start = store.statistics();
    // What is counted is what happens in this time.
    tokio::time::sleep(Duration::from_secs(IDLE_SECONDS)).await;
    let end = store.statistics();
    let queries = (end.operations - start.operations) + (end.reads - start.reads);
    let mut requests = 0;
    for (proxy, (polls, all)) in proxies.iter().zip(before) {
        let (polls, all) = (proxy.requests("/worker/poll") - polls, proxy.all_requests() - all);
        assert!(polls <= 2, "{polls} polls within {IDLE_SECONDS} s, and one is held for 25 s");
        assert!(all <= polls + IDLE_SECONDS / 10 + 1, "{all} requests of one worker");
        requests += all;
    }
    say(&format!(
        "{IDLE_WORKERS} idle workers in {IDLE_SECONDS} s: {requests} requests, {queries} queries, {} commits",
        end.commits - start.commits
    ));
    assert!(queries < 5 * IDLE_SECONDS, "{queries} queries in {IDLE_SECONDS} s");
    drop(system);
    app.stop().await;
    served.stopped().await;
}
