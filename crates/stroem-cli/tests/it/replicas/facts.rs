//! What happens at one server is known at the other.

use std::time::Duration;

use http_body_util::BodyExt;
use stroem_api::SseDecoder;
use stroem_testkit::postgres::{self, Database};

use super::cluster::Cluster;
use crate::{
    harness::{alive, folder, wait_for},
    size::say,
};

/// A new database; none where there is no PostgreSQL.
pub(super) fn database(test: &str) -> Option<Database> {
    match postgres::shared() {
        Ok(server) => Some(server.database()),
        Err(missing) => {
            stroem_testkit::skip(test, &missing.0);
            None
        }
    }
}

/// Steps that end side by side.
const FAN: usize = 40;
const QUICK: &str = "tasks:\n  t:\n    flow:\n      a: {type: script, script: 'true'}\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn system_a_job_of_one_server_is_claimed_at_once_at_another() {
    let Some(database) = database("system_a_job_of_one_server_is_claimed_at_once_at_another") else { return };
    let dir = folder(QUICK);
    let mut cluster = Cluster::start(&database.url(), &[dir.path(), dir.path()], "").await;
    cluster.worker_of(1, "w1", "poll_interval_secs: 86400").await;
    let mut waits = Vec::new();
    for _ in 0..15 {
        let job = cluster.servers[0].client.execute("default", "t", serde_json::Map::new()).await;
        let ended = cluster.system.ended(job.expect("a job").job_id).await;
        assert_eq!(ended.status.as_str(), "completed");
        let attempt = &ended.steps[0].attempts[0];
        waits.push(attempt.claimed_at.since(attempt.ready_at));
    }
    waits.sort_unstable();
    say(&format!(
        "from ready at one server to claimed at the other: p50 {:?}, max {:?}",
        waits[7], waits[14]
    ));
    // Without a hint it is looked every two seconds, one on average.
    assert!(waits[7] < Duration::from_millis(500), "{waits:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn system_ends_of_one_job_at_two_servers_all_count() {
    let Some(database) = database("system_ends_of_one_job_at_two_servers_all_count") else { return };
    let mut text = "tasks:\n  t:\n    flow:\n".to_owned();
    for step in 0..FAN {
        text.push_str(&format!("      s{step}: {{type: script, script: 'echo {step}'}}\n"));
    }
    let names: Vec<String> = (0..FAN).map(|step| format!("s{step}")).collect();
    text.push_str(&format!(
        "      last: {{type: script, depends_on: [{}], script: echo last}}\n",
        names.join(", ")
    ));
    let dir = folder(&text);
    let mut cluster = Cluster::start(&database.url(), &[dir.path(), dir.path()], "").await;
    for server in 0..2 {
        cluster.worker_of(server, &format!("w{server}"), "").await;
    }
    let job = cluster.system.execute("t").await;
    let ended = cluster.system.ended(job).await;
    assert_eq!(ended.status.as_str(), "completed");
    assert!(ended.steps.iter().all(|step| step.attempts.len() == 1), "{ended:?}");
    let mut printed = cluster.system.printed(job).await;
    assert_eq!(printed.pop().as_deref(), Some("last"));
    let mut printed: Vec<usize> = printed.iter().map(|line| line.parse().expect("a number")).collect();
    printed.sort_unstable();
    assert_eq!(printed, (0..FAN).collect::<Vec<_>>());
    let workers: std::collections::BTreeSet<_> =
        ended.steps.iter().map(|step| step.attempts[0].worker_id).collect();
    assert_eq!(workers.len(), 2, "both servers had a part in it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn system_a_cancel_at_one_server_kills_what_polls_at_another() {
    let Some(database) = database("system_a_cancel_at_one_server_kills_what_polls_at_another") else {
        return;
    };
    let dir = folder("tasks:\n  t:\n    flow:\n      a: {type: script, script: echo $$; sleep 1000}\n");
    let mut cluster = Cluster::start(&database.url(), &[dir.path(), dir.path()], "").await;
    cluster.worker_of(1, "w1", "").await;
    let job = cluster.servers[0].client.execute("default", "t", serde_json::Map::new()).await;
    let job = job.expect("a job").job_id;
    wait_for("the step has begun", async || !cluster.system.printed(job).await.is_empty()).await;
    let pid = cluster.system.printed(job).await.remove(0);
    cluster.servers[0].client.cancel(job).await.expect("cancelled");
    let ended = cluster.system.ended(job).await;
    assert_eq!(ended.status.as_str(), "cancelled");
    assert!(!alive(&pid));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn system_a_live_log_at_one_server_shows_lines_sent_to_another() {
    let Some(database) = database("system_a_live_log_at_one_server_shows_lines_sent_to_another") else {
        return;
    };
    let dir = folder(
        "tasks:\n  t:\n    flow:\n      a: {type: script, script: 'for i in 1 2 3 4 5; do echo line $i; sleep 0.3; done'}\n",
    );
    let mut cluster = Cluster::start(&database.url(), &[dir.path(), dir.path()], "").await;
    cluster.worker_of(1, "w1", "").await;
    let client = &cluster.servers[0].client;
    let job = client.execute("default", "t", serde_json::Map::new()).await.expect("a job").job_id;
    let mut body = client.log_events(job, None).await.expect("a stream");
    let (mut decoder, mut lines, mut kinds) = (SseDecoder::default(), Vec::new(), Vec::new());
    while kinds.last().is_none_or(|kind| kind != "end") {
        let frame = body.frame().await.expect("it ends with `end`").expect("a piece");
        let piece = frame.into_data().expect("data");
        for event in decoder.push(&piece) {
            if event.event == "lines" {
                let found: Vec<serde_json::Value> = serde_json::from_str(&event.data).expect("lines");
                let printed = found.iter().filter(|line| line["stream"] == "stdout");
                lines.extend(printed.map(|line| line["line"].as_str().expect("text").to_owned()));
            }
            kinds.push(event.event);
        }
    }
    assert_eq!(lines, ["line 1", "line 2", "line 3", "line 4", "line 5"]);
    let events = kinds.iter().filter(|kind| *kind == "lines").count();
    assert!(events >= 3, "they came while the step ran: {kinds:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn system_a_revision_that_only_one_server_has_runs_at_another() {
    let Some(database) = database("system_a_revision_that_only_one_server_has_runs_at_another") else {
        return;
    };
    let script = |text: &str| {
        folder(&format!(
            "secrets: {{word: {text}}}\ntasks:\n  t:\n    flow:\n      a: {{type: script, env: {{W: '{{{{ secret.word }}}}'}}, script: 'cat word; printf %s $W | wc -c'}}\n"
        ))
    };
    let (one, other) = (script("first-word"), script("secondly-word"));
    std::fs::write(one.path().join("word"), "one\n").expect("written");
    std::fs::write(other.path().join("word"), "other\n").expect("written");
    let mut cluster = Cluster::start(&database.url(), &[one.path(), other.path()], "").await;
    cluster.worker_of(1, "w1", "").await;
    for (server, expected) in [(0, ["one", "10"]), (1, ["other", "13"]), (0, ["one", "10"])] {
        let job = cluster.servers[server].client.execute("default", "t", serde_json::Map::new()).await;
        let job = job.expect("a job").job_id;
        assert_eq!(cluster.system.ended(job).await.status.as_str(), "completed");
        assert_eq!(cluster.system.printed(job).await, expected);
    }
    assert!(!cluster.servers[0].data_dir().join("blobs").exists(), "no blob lies with one server alone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn system_page_events_of_one_server_tell_of_the_others_jobs() {
    let Some(database) = database("system_page_events_of_one_server_tell_of_the_others_jobs") else { return };
    let dir = folder(QUICK);
    let cluster = Cluster::start(&database.url(), &[dir.path(), dir.path()], "").await;
    let uri = "/api/events".parse::<http::Uri>().expect("a path");
    let request = http::Request::get(uri).body(bytes::Bytes::new()).expect("a request");
    let address = format!("http://{}", cluster.servers[0].address);
    let transport = stroem_api::HttpTransport::new(&address).expect("an address");
    let mut body = stroem_api::Transport::send(&transport, request).await.expect("a stream").into_body();
    let job = cluster.servers[1].client.execute("default", "t", serde_json::Map::new()).await;
    let job = job.expect("a job").job_id.to_string();
    let told = async {
        let mut decoder = SseDecoder::default();
        loop {
            let piece = body.frame().await.expect("it goes on").expect("a piece").into_data().expect("data");
            if decoder.push(&piece).iter().any(|event| event.data.contains(&job)) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), told).await.expect("it is told within a minute");
}
