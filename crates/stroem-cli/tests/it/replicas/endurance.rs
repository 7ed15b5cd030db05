//! Jobs through kills of servers and a restart of the database.

use std::{sync::Arc, time::Duration};

use stroem_core::JobId;
use stroem_testkit::postgres::{self, Setup};
use tokio::task::JoinSet;

use super::cluster::Cluster;
use crate::{
    chaos::jobs,
    harness::folder,
    size::{say, sized},
};

const WORKERS: usize = 4;
const STEPS: usize = 3;
/// How long the database is away.
const AWAY: Duration = Duration::from_secs(3);
/// Between two kills.
const PAUSE: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn system_two_servers_share_jobs_through_kills_and_a_database_restart() {
    let test = "system_two_servers_share_jobs_through_kills_and_a_database_restart";
    let database = match postgres::private(&Setup::default()) {
        Ok(server) => Arc::new(server),
        Err(missing) => return stroem_testkit::skip(test, &missing.0),
    };
    let wanted = sized(200, 1_000);
    let notes_dir = tempfile::tempdir().expect("a directory");
    let notes = notes_dir.path().join("notes");
    let dir = folder(&jobs::workflow(STEPS, 0.05, &notes));
    let mut cluster = Cluster::start(&database.url("postgres"), &[dir.path(), dir.path()], "").await;
    for number in 1..=WORKERS {
        cluster.system.start_worker(&format!("w{number}"), "").await;
    }
    let client = cluster.system.client.clone();
    let mut creating = JoinSet::new();
    creating.spawn(async move {
        let mut known = Vec::new();
        while known.len() < wanted {
            // Whether a job was made is not known when its server dies over it: then it is found in the list.
            if let Ok(job) = client.execute("default", "t", serde_json::Map::new()).await {
                known.push(job.job_id);
            }
        }
        known
    });
    let (mut kills, mut known) = (0, None);
    loop {
        tokio::time::sleep(PAUSE).await;
        let victim = &mut cluster.servers[kills % 2];
        victim.kill();
        victim.spawn();
        kills += 1;
        if kills == 3 {
            let database = Arc::clone(&database);
            let away = move || {
                database.stop();
                std::thread::sleep(AWAY);
                database.start();
            };
            tokio::task::spawn_blocking(away).await.expect("it restarts");
        }
        if let Some(made) = creating.try_join_next() {
            known = Some(made.expect("all are made"));
        }
        if known.is_some() && kills >= 4 && open_jobs(&cluster).await == Some(0) {
            break;
        }
    }
    let known = known.expect("the loop ends with it");
    for server in &cluster.servers {
        server.answers().await;
    }
    let all = all_jobs(&cluster).await;
    assert!(known.iter().all(|job| all.contains(job)), "a job that was acknowledged is there");
    for job in &all {
        cluster.system.ended(*job).await;
    }
    let tally = jobs::check(&cluster.system, &all, &notes).await;
    let passed = cluster.balancer.passed();
    say(&format!("{} jobs, {kills} kills, {passed:?} connections: {tally:?}", all.len()));
    assert_eq!(tally.steps, all.len() * STEPS);
    assert_eq!(tally.attempts, tally.steps, "no worker was away, so nothing ran twice");
    assert!(passed.iter().all(|count| *count >= WORKERS), "{passed:?}");
}

/// Jobs that have not ended; none while nobody answers.
async fn open_jobs(cluster: &Cluster) -> Option<u64> {
    let mut open = 0;
    for status in ["pending", "running"] {
        let jobs = cluster.system.client.jobs(&[("status", status), ("limit", "1")]).await;
        open += jobs.ok()?.total;
    }
    Some(open)
}

async fn all_jobs(cluster: &Cluster) -> Vec<JobId> {
    let mut jobs = Vec::new();
    loop {
        let offset = jobs.len().to_string();
        let page = cluster.system.client.jobs(&[("limit", "100"), ("offset", &offset)]).await;
        let page = page.expect("a list");
        if page.items.is_empty() {
            return jobs;
        }
        jobs.extend(page.items.iter().map(|job| job.job_id));
    }
}
