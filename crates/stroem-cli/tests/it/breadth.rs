//! Commands around jobs: folders, re-runs, workers that rest, configurations, completion.

use serde_json::Value;

use crate::harness::{System, folder, out, stroem};

const TASKS: &str = "tasks:\n  ship:\n    description: Builds and ships\n    timeout: 1h\n    input:\n      version: {type: string, required: true}\n    flow:\n      build: {type: script, script: 'echo \"OUTPUT: {\\\"v\\\": \\\"{{ input.version }}\\\"}\"'}\n      push:\n        type: docker\n        image: alpine:3\n        depends_on: [build]\n        tags: [eu]\n        when: '{{ input.version }}'\n";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_folders_tasks_and_plans_are_shown_without_a_server() {
    let dir = folder(TASKS);
    let path = dir.path().to_str().expect("UTF-8");
    let listed = out(&stroem(&["tasks", "--path", path]));
    let row = listed.lines().nth(1).expect("a task");
    assert!(row.starts_with("ship") && row.ends_with(".workflows/main.yaml  Builds and ships"), "{listed}");
    assert_eq!(json(&out(&stroem(&["tasks", "--path", path, "--output", "json"])))[0]["name"], "ship");
    let shown = out(&stroem(&["inspect", "ship", "--path", path]));
    assert_eq!(
        shown,
        "task ship\n  timeout: 1h\n  input version: string, required\n  step: build\n    type: script on local\n    \
         required tags: script\n  step: push\n    type: docker\n    required tags: docker, eu\n    depends on: build\n    \
         when: {{ input.version }}\n"
    );
    let plan = json(&out(&stroem(&["inspect", "ship", "--path", path, "--output", "json"])));
    assert_eq!(plan["steps"][1]["required_tags"], serde_json::json!(["docker", "eu"]));
    let unknown = stroem(&["inspect", "shp", "--path", path]);
    let told = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert_eq!(unknown.status.code(), Some(2), "{told}");
    assert!(told.contains("did you mean `ship`?"), "{told}");
}

#[test]
fn a_configuration_is_checked_as_the_program_reads_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("worker.yaml");
    std::fs::write(&file, "worker_token: t\ntags: [script, gpu]\n").expect("written");
    let path = file.to_str().expect("UTF-8");
    let good = stroem(&["config", "check", "worker", path]);
    assert_eq!(out(&good), format!("{path} is a valid worker configuration\n"));
    let bad = stroem(&["config", "check", "server", path]);
    let told = String::from_utf8_lossy(&bad.stderr).into_owned();
    assert_eq!(bad.status.code(), Some(2));
    assert!(told.contains("worker.yaml:2:1: unknown key `tags`"), "{told}");
}

#[test]
fn completion_scripts_name_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = out(&stroem(&["completion", shell]));
        assert!(script.contains("validate") && script.contains("trigger"), "{shell}");
    }
}

#[tokio::test]
async fn system_a_job_is_run_again_with_its_own_or_another_input() {
    let dir = folder(
        "tasks:\n  t:\n    input:\n      who: {type: string, default: nobody}\n      key: {type: string, secret: true, default: 's3cret-key'}\n    flow:\n      a: {type: script, script: 'echo {{ input.who }} {{ input.key | length }}'}\n",
    );
    let system = System::start(dir.path()).await;
    let ask = |arguments: &[&str]| stroem(&[arguments, &["--server", system.address.as_str()]].concat());
    let first = out(&ask(&[
        "trigger",
        "t",
        "--input",
        r#"{"who": "Ada", "key": "four"}"#,
        "--wait",
        "--output",
        "json",
    ]));
    let id = json(&first)["job_id"].as_str().expect("an id").to_owned();
    let again = out(&ask(&["rerun", &id, "--follow"]));
    assert!(again.starts_with("a | Ada 4\n"), "the secret came along: {again}");
    let other = out(&ask(&["rerun", &id, "--input", r#"{"who": "Bob"}"#, "--follow"]));
    assert!(other.starts_with("a | Bob 10\n"), "{other}");
    let listed = json(&out(&ask(&["jobs", "--output", "json"])));
    assert_eq!(listed["items"][0]["source_type"], "rerun");
    assert_eq!(listed["items"][0]["source_id"], id.as_str());
    let workspaces = out(&ask(&["workspaces"]));
    assert!(workspaces.lines().nth(1).is_some_and(|row| row.starts_with("default")), "{workspaces}");
}

#[tokio::test]
async fn system_a_worker_rests_until_it_is_resumed() {
    let dir = folder("tasks:\n  t:\n    flow:\n      a: {type: script, script: echo done}\n");
    let mut system = System::without_workers(dir.path(), "").await;
    system.start_worker("w1", "").await;
    let address = system.address.clone();
    let ask = |arguments: &[&str]| out(&stroem(&[arguments, &["--server", address.as_str()]].concat()));
    let drained = ask(&["workers", "drain", "w1"]);
    assert!(drained.contains("draining"), "{drained}");
    let job = system.execute("t").await;
    let explained = system.client.explain(job, "a").await.expect("explained");
    assert_eq!(explained.workers[0].remark.as_deref(), Some("drains"));
    system.start_worker("w2", "").await;
    let ended = system.ended(job).await;
    let workers = system.client.workers().await.expect("workers");
    let id_of = |name: &str| workers.iter().find(|worker| worker.name == name).map(|worker| worker.id);
    assert_eq!(ended.steps[0].worker_id, id_of("w2"));
    system.drain_worker("w2");
    let job = system.execute("t").await;
    system.step_is(job, "a", "ready").await;
    let resumed = ask(&["workers", "resume", "w1"]);
    assert!(resumed.contains("active"), "{resumed}");
    assert_eq!(system.ended(job).await.steps[0].worker_id, id_of("w1"));
    let unknown = stroem(&["workers", "drain", "w9", "--server", address.as_str()]);
    assert_eq!(unknown.status.code(), Some(5));
}
