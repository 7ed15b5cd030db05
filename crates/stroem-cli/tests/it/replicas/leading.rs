//! What only one server does, and what happens when that one is gone.

use std::time::Duration;

use stroem_core::Timestamp;
use stroem_testkit::postgres::{self, Setup};

use super::{cluster::Cluster, facts::database};
use crate::{
    harness::{folder, signal, wait_for},
    size::say,
};

/// When the newest leader began, by its own log.
fn began_to_lead(log: &str) -> Timestamp {
    let line = log.lines().rfind(|line| line.contains("this server leads")).expect("it leads");
    let at = line.split_whitespace().next().expect("a time");
    serde_json::from_value(at.into()).expect("a time")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn system_timers_fire_under_five_seconds_after_their_leader_is_killed() {
    let test = "system_timers_fire_under_five_seconds_after_their_leader_is_killed";
    let Some(database) = database(test) else { return };
    let dir = folder(
        "tasks:\n  t:\n    timeout: 2s\n    flow:\n      a: {type: script, tags: [none], script: 'true'}\n",
    );
    let mut cluster = Cluster::start(&database.url(), &[dir.path(), dir.path()], "").await;
    let leader = cluster.leader().await;
    let other = 1 - leader;
    cluster.servers[leader].kill();
    let job = cluster.servers[other].client.execute("default", "t", serde_json::Map::new()).await;
    let ended = cluster.system.ended(job.expect("a job").job_id).await;
    assert_eq!(ended.status.as_str(), "failed", "{ended:?}");
    // The job was made after the kill.
    let late =
        ended.completed_at.expect("ended").since(ended.created_at).saturating_sub(Duration::from_secs(2));
    say(&format!("a timer of the time without a leader fired {late:?} late"));
    assert!(late < Duration::from_secs(5), "{late:?}");
    assert_eq!(cluster.leader().await, other);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn system_a_leader_that_hangs_is_followed_by_another() {
    let Some(database) = database("system_a_leader_that_hangs_is_followed_by_another") else { return };
    let dir = folder("tasks: {}\n");
    let cluster = Cluster::start(&database.url(), &[dir.path(), dir.path()], "").await;
    let leader = cluster.leader().await;
    signal("STOP", cluster.servers[leader].pid());
    let leads = "this server leads";
    wait_for("the other one leads", async || cluster.servers[1 - leader].log().contains(leads)).await;
    signal("CONT", cluster.servers[leader].pid());
    wait_for("the first one gives up", async || {
        cluster.servers[leader].log().contains("this server does not lead any more")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn system_a_new_leader_judges_nobody_before_a_full_time_out() {
    let Some(database) = database("system_a_new_leader_judges_nobody_before_a_full_time_out") else { return };
    let dir = folder("tasks:\n  t:\n    flow:\n      a: {type: script, script: sleep 1000}\n");
    let timeout = Duration::from_secs(4);
    let recovery = "recovery: {heartbeat_timeout_secs: 4}";
    let mut cluster = Cluster::start(&database.url(), &[dir.path(), dir.path()], recovery).await;
    let leader = cluster.leader().await;
    let other = 1 - leader;
    cluster.worker_of(other, "w1", "").await;
    let job = cluster.servers[other].client.execute("default", "t", serde_json::Map::new()).await;
    let job = job.expect("a job").job_id;
    cluster.system.step_is(job, "a", "running").await;
    cluster.system.signal_worker("w1", "STOP");
    cluster.servers[leader].kill();
    // A new leader's clock begins with it, however long the worker was silent before.
    let mut steps = Vec::new();
    wait_for("the attempt is lost", async || {
        steps = cluster.servers[other].client.job(job).await.expect("a job").steps;
        steps[0].attempts[0].ended_at.is_some()
    })
    .await;
    let attempt = &steps[0].attempts[0];
    assert_eq!(attempt.outcome.as_ref().expect("ended")["cause"], "worker_lost");
    let led_for = attempt.ended_at.expect("ended").since(began_to_lead(&cluster.servers[other].log()));
    say(&format!("the new leader judged after {led_for:?}"));
    // Its log line is written a moment before it begins.
    assert!(led_for >= timeout - Duration::from_millis(50), "{led_for:?}");
    cluster.system.signal_worker("w1", "CONT");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn system_nobody_is_judged_for_the_time_in_which_the_database_was_away() {
    let test = "system_nobody_is_judged_for_the_time_in_which_the_database_was_away";
    let database = match postgres::private(&Setup::default()) {
        Ok(server) => server,
        Err(missing) => return stroem_testkit::skip(test, &missing.0),
    };
    let dir = folder("tasks:\n  t:\n    flow:\n      a: {type: script, script: sleep 14; echo done}\n");
    let recovery = "recovery: {heartbeat_timeout_secs: 4}";
    let folders = [dir.path(), dir.path()];
    let mut cluster = Cluster::start(&database.url("postgres"), &folders, recovery).await;
    let other = 1 - cluster.leader().await;
    cluster.worker_of(other, "w1", "").await;
    let job = cluster.system.execute("t").await;
    cluster.system.step_is(job, "a", "running").await;
    database.stop();
    // Twice as long as a worker may be silent.
    tokio::time::sleep(Duration::from_secs(8)).await;
    database.start();
    let ended = cluster.system.ended(job).await;
    assert_eq!(ended.status.as_str(), "completed", "{ended:?}");
    assert_eq!(ended.steps[0].attempts.len(), 1, "{ended:?}");
    assert_eq!(cluster.system.printed(job).await, ["done"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn system_what_a_lost_worker_held_is_ended_however_often_the_database_refuses() {
    let test = "system_what_a_lost_worker_held_is_ended_however_often_the_database_refuses";
    let Some(database) = database(test) else { return };
    let dir = folder("tasks: {}\n");
    let again = dir.path().join("again");
    let text = format!(
        "tasks:\n  t:\n    flow:\n      a: {{type: script, script: 'test -e {0} && exit 0; touch {0}; sleep 1000'}}\n",
        again.display()
    );
    std::fs::write(dir.path().join(".workflows/main.yaml"), text).expect("written");
    let recovery = "recovery: {heartbeat_timeout_secs: 2}";
    let mut cluster = Cluster::start(&database.url(), &[dir.path()], recovery).await;
    cluster.worker_of(0, "w1", "").await;
    let job = cluster.system.execute("t").await;
    wait_for("the step has begun", async || again.exists()).await;
    database.psql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$; \
         CREATE TRIGGER refuse BEFORE DELETE ON stroem.lease FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
    cluster.system.kill_worker("w1");
    wait_for("the end is refused twice", async || {
        cluster.servers[0].log().matches("attempts of a lost worker cannot be ended").count() >= 2
    })
    .await;
    assert_eq!(cluster.system.step_is(job, "a", "running").await.attempts.len(), 1);
    database.psql("DROP TRIGGER refuse ON stroem.lease");
    cluster.worker_of(0, "w2", "").await;
    let ended = cluster.system.ended(job).await;
    let causes = ended.steps[0].attempts.iter();
    let causes: Vec<_> =
        causes.map(|attempt| attempt.outcome.as_ref().expect("ended")["cause"].clone()).collect();
    assert_eq!(causes, ["worker_lost", "succeeded"]);
}
