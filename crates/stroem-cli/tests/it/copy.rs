//! `stroem db copy`: an embedded installation moves to PostgreSQL, and back.

use std::process::{Command, Output, Stdio};

use serde_json::Value;
use stroem_api::public::JobDetail;
use stroem_core::JobId;
use stroem_store_postgres::{Options, PostgresStore};
use stroem_testkit::postgres::{self, Database};

use crate::harness::{STROEM, System, folder, out, stroem, wait_for};

const WORKFLOW: &str = "tasks:\n  quick:\n    input:\n      token: {type: string, secret: true, default: hunter2-and-more}\n    flow:\n      a: {type: script, env: {T: '{{ input.token }}'}, script: 'for i in $(seq 1 200); do echo line $i; done; echo \"OUTPUT: {\\\"n\\\": 1}\"'}\n      b: {type: script, depends_on: [a], script: 'exit 3'}\n  slow:\n    input:\n      go: {type: string, required: true}\n    flow:\n      a: {type: script, env: {GO: '{{ input.go }}'}, script: 'echo begun; until [ -e \"$GO\" ]; do sleep 0.05; done; echo \"OUTPUT: {\\\"n\\\": 7}\"'}\n      b: {type: script, depends_on: [a], env: {N: '{{ a.output.n }}'}, script: 'echo \"OUTPUT: {\\\"n\\\": $((N + 1))}\"'}\n  gpu:\n    flow:\n      a: {type: script, script: echo hi, tags: [gpu]}\n";

fn database(test: &str) -> Option<Database> {
    match postgres::shared() {
        Ok(server) => Some(server.database()),
        Err(missing) => {
            stroem_testkit::skip(test, &missing.0);
            None
        }
    }
}

async fn copy(from: &str, to: &str) -> Output {
    let arguments = ["db", "copy", from, to, "--output", "json"].map(str::to_owned);
    let ran = tokio::task::spawn_blocking(move || stroem(&arguments.each_ref().map(String::as_str)));
    ran.await.expect("it ends")
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Everything that the API says about these jobs.
async fn answers(system: &System, jobs: &[JobId]) -> Vec<Value> {
    let mut answers = Vec::new();
    for job in jobs {
        answers.push(serde_json::to_value(system.client.job(*job).await.expect("a job")).expect("JSON"));
        answers.extend(system.lines(*job).await);
    }
    let list = system.client.jobs(&[("limit", "100")]).await.expect("a list");
    answers.push(serde_json::to_value(list).expect("JSON"));
    answers
}

async fn start_slow(system: &System, go: &std::path::Path) -> JobId {
    let input = serde_json::json!({ "go": go }).as_object().expect("an object").clone();
    let job = system.client.execute("default", "slow", input).await.expect("a job").job_id;
    wait_for("the step has begun", async || system.printed(job).await == ["begun"]).await;
    job
}

fn is_done(detail: &JobDetail) {
    assert_eq!(detail.status.as_str(), "completed", "{detail:?}");
    assert_eq!(detail.output, Some(serde_json::json!({"b": {"n": 8}})));
    assert!(detail.steps.iter().all(|step| step.attempt == 1), "{detail:?}");
}

#[tokio::test]
async fn system_an_installation_moves_to_postgresql_while_a_job_runs() {
    let test = "system_an_installation_moves_to_postgresql_while_a_job_runs";
    let Some(database) = database(test) else { return };
    let dir = folder(WORKFLOW);
    let recovery = "recovery: {unmatched_step_timeout_secs: 600}";
    let mut system = System::without_workers(dir.path(), recovery).await;
    system.start_worker("w1", "").await;
    let mut jobs = Vec::new();
    for _ in 0..15 {
        jobs.push(system.execute("quick").await);
    }
    for job in &jobs {
        assert_eq!(system.ended(*job).await.status.as_str(), "failed");
    }
    let running = start_slow(&system, &dir.path().join("go-1")).await;
    let waiting = system.execute("gpu").await;
    system.step_is(waiting, "a", "ready").await;
    let all = [jobs.as_slice(), &[running, waiting]].concat();
    let before = answers(&system, &all).await;
    let data = format!("sqlite:{}", system.dir().join("server").display());

    let refused = copy(&data, &database.url()).await;
    assert_eq!(refused.status.code(), Some(6));
    assert!(told(&refused).contains("is in use by another server"), "{}", told(&refused));

    system.kill_server();
    let copied = copy(&data, &database.url()).await;
    assert_eq!(copied.status.code(), Some(0), "{}", told(&copied));
    let result: Value = serde_json::from_str(&out(&copied)).expect("JSON");
    assert_eq!(result["tables"]["job"], 17, "{result:#}");
    assert!(told(&copied).contains("copying job: "), "{}", told(&copied));
    let again = copy(&data, &database.url()).await;
    assert_eq!(again.status.code(), Some(6));
    assert!(told(&again).contains("the target is not empty"), "{}", told(&again));

    system.configure_server_more(&format!("db: {{url: '{}'}}", database.url()));
    system.start_server().await;
    assert_eq!(answers(&system, &all).await, before);
    std::fs::write(dir.path().join("go-1"), "").expect("written");
    is_done(&system.ended(running).await);
    system.start_worker("w2", "tags: [script, gpu]").await;
    assert_eq!(system.ended(waiting).await.status.as_str(), "completed");
}

#[tokio::test]
async fn system_an_installation_that_moved_moves_back_while_a_job_runs() {
    let test = "system_an_installation_that_moved_moves_back_while_a_job_runs";
    let Some(database) = database(test) else { return };
    let dir = folder(WORKFLOW);
    let mut system = System::start(dir.path()).await;
    let done = system.execute("quick").await;
    system.ended(done).await;
    let running = start_slow(&system, &dir.path().join("go")).await;
    let before = answers(&system, &[done, running]).await;
    system.kill_server();
    let (data, back) = (system.dir().join("server"), system.dir().join("back"));
    let (data, back) = (format!("sqlite:{}", data.display()), format!("sqlite:{}", back.display()));
    for (from, to) in [(&data, &database.url()), (&database.url(), &back)] {
        let copied = copy(from, to).await;
        assert_eq!(copied.status.code(), Some(0), "{}", told(&copied));
    }
    system.configure_server_more(&format!("db: {{url: '{back}'}}"));
    system.start_server().await;
    assert_eq!(answers(&system, &[done, running]).await, before);
    std::fs::write(dir.path().join("go"), "").expect("written");
    is_done(&system.ended(running).await);
}

#[tokio::test]
async fn system_an_aborted_copy_is_done_again_and_takes_the_files_along() {
    let test = "system_an_aborted_copy_is_done_again_and_takes_the_files_along";
    let Some(database) = database(test) else { return };
    let dir = folder(WORKFLOW);
    let mut system = System::start(dir.path()).await;
    let job = system.execute("quick").await;
    system.ended(job).await;
    let before = answers(&system, &[job]).await;
    system.kill_server();
    let (old, new) = (system.dir().join("server.yaml"), system.dir().join("new.yaml"));
    let text = std::fs::read_to_string(&old).expect("written before");
    let data = system.dir().join("server");
    let text = text.replace(&*data.to_string_lossy(), &system.dir().join("moved").to_string_lossy());
    std::fs::write(&new, format!("{text}db: {{url: '{}'}}\n", database.url())).expect("written");

    // A trigger of the target sleeps when the logs come, so that the copy is killed in the middle.
    drop(PostgresStore::open(&database.url(), Options::default()).await.expect("opens"));
    database.psql(
        "CREATE FUNCTION stroem.hang() RETURNS trigger LANGUAGE plpgsql AS \
         $$BEGIN PERFORM pg_sleep(600); RETURN new; END$$; \
         CREATE TRIGGER hang BEFORE INSERT ON stroem.log_attempt FOR EACH ROW EXECUTE FUNCTION stroem.hang()",
    );
    let mut child = Command::new(STROEM)
        .args(["db", "copy", &old.to_string_lossy(), &new.to_string_lossy()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let sleeping =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    wait_for("the copy is in the middle", async || database.psql(sleeping) == "1").await;
    child.kill().expect("it runs");
    child.wait().expect("a child");
    database.psql(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    database.psql("DROP TRIGGER hang ON stroem.log_attempt");
    assert_eq!(database.psql("SELECT count(*) FROM stroem.job"), "0");

    let copied = copy(&old.to_string_lossy(), &new.to_string_lossy()).await;
    assert_eq!(copied.status.code(), Some(0), "{}", told(&copied));
    std::fs::rename(&new, &old).expect("renamed");
    system.start_server().await;
    assert_eq!(answers(&system, &[job]).await, before);
    assert!(system.dir().join("moved/secret.key").exists());
}
