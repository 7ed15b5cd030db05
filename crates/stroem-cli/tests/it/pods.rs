//! Server and worker with steps that run as pods, on the cluster that `KUBECONFIG` names; see `dev/k8s`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use stroem_core::JobId;
use stroem_runner::conformance::skip;

use crate::{
    harness::{System, folder},
    scenarios::{compare, expected, scenarios},
};

/// Scenarios that say something about pods that a local run does not. Two need what the image lacks or a pod cannot tell:
/// python, and a signal apart from the code that a shell makes of it.
const SCENARIOS: &[&str] =
    &["02", "03", "04", "05", "07", "09", "11", "16", "22", "24", "25", "26", "27", "28", "29"];

/// The cluster's credentials for a worker, or the reason why there are none.
fn credentials() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration that could say it")]
    let Some(path) = std::env::var_os("KUBECONFIG").map(PathBuf::from).filter(|path| path.is_file()) else {
        skip("KUBECONFIG names no file: `dev/k8s up` makes a cluster");
        return None;
    };
    let mut narrow = path.clone().into_os_string();
    narrow.push("-runner");
    let narrow = PathBuf::from(narrow);
    Some(if narrow.is_file() { narrow } else { path })
}

/// This host's address as pods see it.
pub(crate) fn bridge() -> String {
    let shown = Command::new("ip").args(["-4", "-o", "addr", "show", "docker0"]).output().expect("iproute2");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let address = shown.split_whitespace().nth(3).and_then(|text| text.split('/').next());
    address.expect("docker0 has an address").to_owned()
}

/// A server that pods reach, and a worker for them.
async fn start(folder: &Path, more: &str) -> Option<System> {
    let worker = worker(more)?;
    let mut system = System::on_host(&bridge(), folder, "allow_unauthenticated: true").await;
    system.start_worker("pods", &worker).await;
    Some(system)
}

/// A worker's configuration.
pub(crate) fn worker(more: &str) -> Option<String> {
    let kubeconfig = credentials()?;
    let kubeconfig = kubeconfig.display();
    Some(format!(
        "tags: [script, kubernetes]\nrunner_image: debian:bookworm\nkubernetes:\n  namespace: stroem-jobs\n  kubeconfig: {kubeconfig}\n{more}"
    ))
}

/// What is left of a job on the cluster.
pub(crate) fn left_of(job: JobId) -> String {
    let label = format!("stroem.dev/job={job}");
    let listed = Command::new("kubectl")
        .args(["-n", "stroem-jobs", "get", "pods,secrets", "-o", "name", "-l", &label])
        .output()
        .expect("kubectl");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    String::from_utf8_lossy(&listed.stdout).into_owned()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// The workflow with every script in a pod.
fn in_pods(text: &str) -> String {
    let line = |line: &str| match line.trim() {
        "type: script" => format!("{line}\n{}runner: pod\n", line.replace("type: script", "")),
        _ => format!("{}\n", line.replace("type: script,", "type: script, runner: pod,")),
    };
    text.lines().map(line).collect()
}

async fn scenarios_pass(parity: usize) {
    let chosen = |dir: &PathBuf| {
        let name = dir.file_name().expect("a name").to_string_lossy().into_owned();
        SCENARIOS.iter().any(|number| name.starts_with(&format!("{number}_")))
    };
    let dirs: Vec<PathBuf> = scenarios().into_iter().filter(chosen).collect();
    assert_eq!(dirs.len(), SCENARIOS.len());
    for dir in dirs.into_iter().skip(parity).step_by(2) {
        let place = tempfile::tempdir().expect("a directory");
        copy(&dir, place.path());
        let file = place.path().join(".workflows/main.yaml");
        let text = in_pods(&fs::read_to_string(&file).expect("a workflow"));
        assert!(text.contains("runner: pod"), "{text}");
        fs::write(&file, text).expect("written");
        let Some(system) = start(place.path(), "").await else { return };
        let expected = expected(&dir);
        let started = system.client.execute("default", &expected.task, expected.input.clone()).await;
        let job = started.expect("a job").job_id;
        let detail = serde_json::to_value(system.ended(job).await).expect("JSON");
        compare(&dir, &expected, &detail);
        assert_eq!(left_of(job), "", "{}", dir.display());
    }
}

#[tokio::test]
async fn system_scenarios_pass_in_pods_one_half() {
    scenarios_pass(0).await;
}

#[tokio::test]
async fn system_scenarios_pass_in_pods_other_half() {
    scenarios_pass(1).await;
}

const MIXED: &str = r#"
secrets: {token: s3cr3t-value}
tasks:
  t:
    flow:
      make:
        type: script
        runner: pod
        env: {TOKEN: "{{ secret.token }}"}
        script: |
          cat data.txt
          printf %s "$TOKEN" | base64
          env | grep -ci -e t0ken -e SECRET_OF_THE_WORKER || true
          echo "OUTPUT: {\"n\": 20}"
      image:
        type: pod
        image: debian:bookworm
        depends_on: [make]
        env: {N: "{{ make.output.n }}"}
        cmd: echo "OUTPUT:{\"n\":$((N + 1))}"
      here:
        type: script
        depends_on: [image]
        env: {N: "{{ image.output.n }}"}
        script: echo "OUTPUT:{\"n\":$((N * 2))}"
"#;

#[tokio::test]
async fn system_local_and_pod_steps_work_together() {
    let dir = folder(MIXED);
    fs::write(dir.path().join("data.txt"), "from the workspace\n").expect("written");
    let Some(system) = start(dir.path(), "").await else { return };
    let job = system.execute("t").await;
    let detail = system.ended(job).await;
    let lines = system.printed(job).await;
    assert_eq!(detail.status.as_str(), "completed", "{detail:?} {lines:?}");
    assert_eq!(detail.output, Some(serde_json::json!({"here": {"n": 42}})));
    assert_eq!(lines[..3], ["from the workspace", "••••••", "0"], "{lines:?}");
    assert_eq!(left_of(job), "");
}

const WAITING: &str = r"
tasks:
  t:
    flow:
      nowhere:
        type: pod
        image: debian:bookworm
        manifest: {spec: {nodeSelector: {stroem-test: nowhere}}}
  c:
    flow:
      long: {type: script, runner: pod, script: sleep 1000}
";

#[tokio::test]
async fn system_a_pending_pod_says_why_and_its_cause_is_kept() {
    let dir = folder(WAITING);
    let Some(system) = start(dir.path(), "  pending_timeout: 2s\n").await else { return };
    let job = system.execute("t").await;
    let detail = system.ended(job).await;
    let detail = serde_json::to_value(&detail).expect("JSON");
    assert_eq!(detail["steps"][0]["outcome"]["cause"], "unschedulable", "{detail:#}");
    let notes: Vec<Value> = system.lines(job).await;
    let pending = |line: &Value| {
        line["stream"] == "engine"
            && line["line"].as_str().is_some_and(|text| text.starts_with("pod pending: 0/"))
    };
    assert!(notes.iter().any(pending), "{notes:?}");
    assert_eq!(left_of(job), "");
}

#[tokio::test]
async fn system_cancelling_a_job_ends_its_pod() {
    let dir = folder(WAITING);
    let Some(system) = start(dir.path(), "").await else { return };
    let job = system.execute("c").await;
    crate::harness::wait_for("the script is started", async || {
        let detail = serde_json::to_value(system.client.job(job).await.expect("a job")).expect("JSON");
        !detail["steps"][0]["started_at"].is_null() && left_of(job).contains("pod/")
    })
    .await;
    system.client.cancel(job).await.expect("cancelled");
    assert_eq!(system.ended(job).await.status.as_str(), "cancelled");
    assert_eq!(left_of(job), "");
}
