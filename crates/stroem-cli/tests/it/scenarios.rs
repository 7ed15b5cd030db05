//! Every scenario, by a local run and by server and worker over HTTP: states and outputs are the same.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::{Map, Value};

use stroem_testkit::postgres;

use crate::harness::{System, out, stroem};

#[derive(Deserialize)]
pub(crate) struct Expected {
    pub(crate) task: String,
    pub(crate) input: Map<String, Value>,
    status: String,
    steps: BTreeMap<String, ExpectedStep>,
    output: Option<Value>,
}

#[derive(Deserialize)]
pub(crate) struct ExpectedStep {
    status: String,
    output: Option<Value>,
    error: Option<String>,
}

pub(crate) fn scenarios() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let mut dirs: Vec<_> =
        fs::read_dir(root).expect("scenarios").map(|entry| entry.expect("readable").path()).collect();
    dirs.sort();
    assert!(dirs.len() >= 30);
    dirs
}

pub(crate) fn expected(dir: &Path) -> Expected {
    let text = fs::read_to_string(dir.join("expected.json")).expect("an expectation");
    serde_json::from_str(&text).expect("an expectation")
}

pub(crate) fn compare(dir: &Path, expected: &Expected, job: &Value) {
    let at = |what: &str| format!("{}: {what}\n{job:#}", dir.display());
    assert_eq!(job["status"], expected.status, "{}", at("status"));
    let steps = job["steps"].as_array().expect("steps");
    assert_eq!(steps.len(), expected.steps.len(), "{}", at("number of steps"));
    for step in steps {
        let name = step["step_name"].as_str().expect("a name");
        let wanted = &expected.steps[name];
        assert_eq!(step["status"], wanted.status, "{}", at(name));
        assert_eq!(step["output"], wanted.output.clone().unwrap_or(Value::Null), "{}", at(name));
        if let Some(error) = &wanted.error {
            assert_eq!(step["error_message"], *error, "{}", at(name));
        }
    }
    if let Some(output) = &expected.output {
        assert_eq!(job["output"], *output, "{}", at("output"));
    }
}

#[test]
fn system_scenarios_pass_in_a_local_run() {
    for dir in scenarios() {
        let expected = expected(&dir);
        let input = Value::from(expected.input.clone()).to_string();
        let path = dir.to_string_lossy().into_owned();
        let ran = stroem(&["run", &expected.task, "--path", &path, "--input", &input, "--output", "json"]);
        let job: Value = serde_json::from_str(&out(&ran))
            .unwrap_or_else(|error| panic!("{path}: {error}\n{}", String::from_utf8_lossy(&ran.stderr)));
        compare(&dir, &expected, &job);
        let code = if expected.status == "failed" { 1 } else { 0 };
        assert_eq!(ran.status.code(), Some(code), "{path}");
    }
}

#[tokio::test]
async fn system_scenarios_pass_on_server_and_worker() {
    for dir in scenarios() {
        let system = System::start(&dir).await;
        passes(&dir, &system, "default").await;
    }
}

#[tokio::test]
async fn system_scenarios_pass_on_postgresql() {
    let server = match postgres::shared() {
        Ok(server) => server,
        Err(missing) => return stroem_testkit::skip("system_scenarios_pass_on_postgresql", &missing.0),
    };
    let database = server.database();
    let dirs = scenarios();
    // One server for all of them: each is a workspace.
    let workspaces = dirs.iter().enumerate().map(|(n, dir)| format!("  s{n}: {{path: {}}}\n", dir.display()));
    let more = format!("{}db: {{url: '{}'}}", workspaces.collect::<String>(), database.url());
    let mut system = System::without_workers(&dirs[0], &more).await;
    system.start_worker("w1", "").await;
    for (n, dir) in dirs.iter().enumerate() {
        passes(dir, &system, &format!("s{n}")).await;
    }
}

/// Runs a scenario's task in a workspace of its folder.
async fn passes(dir: &Path, system: &System, workspace: &str) {
    let expected = expected(dir);
    let started = system.client.execute(workspace, &expected.task, expected.input.clone()).await;
    let detail = system.ended(started.expect("a job").job_id).await;
    compare(dir, &expected, &serde_json::to_value(detail).expect("JSON"));
}
