//! The same with pods on a real cluster: workers come and go, pods go on.

use std::process::Command;

use crate::{
    adoption::{all_at_the_gate, all_went_well, gated, is_adopted},
    docker::is_full,
    harness::{System, folder, wait_for},
    pods::{bridge, left_of, worker},
};

const SERVER: &str = "allow_unauthenticated: true\nrecovery: {heartbeat_timeout_secs: 3}";

fn kubectl(arguments: &[&str]) -> String {
    let ran = Command::new("kubectl").args(["-n", "stroem-jobs"]).args(arguments).output().expect("kubectl");
    assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8_lossy(&ran.stdout).trim().to_owned()
}

fn pods(job: stroem_core::JobId) -> Vec<String> {
    left_of(job).lines().filter(|line| line.starts_with("pod/")).map(str::to_owned).collect()
}

fn open(pod: &str) {
    kubectl(&["exec", pod, "-c", "step", "--", "touch", "/tmp/gate"]);
}

fn has_ended(pod: &str) -> bool {
    let path = "jsonpath={.status.containerStatuses[?(@.name==\"step\")].state.terminated.exitCode}";
    !kubectl(&["get", pod, "-o", path]).is_empty()
}

#[tokio::test]
async fn proof_another_worker_of_the_cluster_takes_over_what_a_killed_one_left() {
    let Some(config) = worker("") else { return };
    let count = if is_full() { 50 } else { 10 };
    let config = format!("{config}max_concurrent: {count}\n");
    let dir = folder(&gated(count, "pod"));
    let mut system = System::on_host(&bridge(), dir.path(), SERVER).await;
    system.start_worker("first", &config).await;
    let job = system.execute("t").await;
    all_at_the_gate(&system, job, count).await;
    let all = pods(job);
    assert_eq!(all.len(), count);
    system.kill_worker("first");
    let (one_half, other_half) = all.split_at(count / 2);
    one_half.iter().for_each(|pod| open(pod));
    wait_for("one half has ended", async || one_half.iter().all(|pod| has_ended(pod))).await;
    system.start_worker("second", &config).await;
    is_adopted(&system, job, count).await;
    other_half.iter().for_each(|pod| open(pod));
    all_went_well(&system, job, count).await;
    assert_eq!(left_of(job), "");
}

const WAITING: &str = r"
tasks:
  t:
    flow:
      late:
        type: script
        runner: pod
        manifest: {spec: {containers: [{name: step, image: 'stroem-test/comes-never'}]}}
        script: echo hello
  c:
    flow:
      long: {type: script, runner: pod, script: echo up; sleep 1000}
";

#[tokio::test]
async fn system_a_cancel_in_the_gap_ends_the_pod_that_was_taken_over() {
    let Some(config) = worker("") else { return };
    let dir = folder(WAITING);
    let mut system = System::on_host(&bridge(), dir.path(), SERVER).await;
    system.start_worker("first", &config).await;
    let job = system.execute("c").await;
    wait_for("the script prints", async || !system.printed(job).await.is_empty()).await;
    system.kill_worker("first");
    system.client.cancel(job).await.expect("cancelled");
    system.start_worker("second", &config).await;
    assert_eq!(system.ended(job).await.status.as_str(), "cancelled");
    is_adopted(&system, job, 1).await;
    assert_eq!(left_of(job), "");
}

#[tokio::test]
async fn system_a_pod_that_still_waits_is_taken_over_and_keeps_its_cause() {
    let Some(config) = worker("  pending_timeout: 8s\n") else { return };
    let dir = folder(WAITING);
    let mut system = System::on_host(&bridge(), dir.path(), SERVER).await;
    system.start_worker("first", &config).await;
    let job = system.execute("t").await;
    wait_for("the pod is there", async || !pods(job).is_empty()).await;
    system.kill_worker("first");
    system.start_worker("second", &config).await;
    let detail = serde_json::to_value(system.ended(job).await).expect("JSON");
    assert_eq!(detail["steps"][0]["outcome"]["cause"], "image_pull", "{detail:#}");
    is_adopted(&system, job, 1).await;
    assert_eq!(left_of(job), "");
}
