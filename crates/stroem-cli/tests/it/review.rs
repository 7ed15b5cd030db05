//! What a careful user tried and found wanting once.

use std::{os::unix::fs::PermissionsExt, process::Command, time::Duration};

use stroem_api::{ApiError, Transport as _};

use crate::harness::{System, alive, folder, noted, out, stroem, wait_for};

#[test]
fn a_step_that_cannot_be_rendered_gives_its_slot_to_the_next_at_once() {
    let broken = "type: script, depends_on: [src], env: {X: '{{ src.output.nope }}'}, script: echo";
    let dir = folder(&format!(
        "tasks:\n  r:\n    flow:\n      src: {{type: script, script: \"echo 'OUTPUT: {{\\\"n\\\": 4}}'\"}}\n      b1: {{{broken}}}\n      b2: {{{broken}}}\n      \
         b3: {{{broken}}}\n      good: {{type: script, depends_on: [src], script: echo good}}\n"
    ));
    let path = dir.path().to_str().expect("UTF-8");
    // A poll that finds nothing lasts 25 s; three of them are more than the minute that a test may take.
    let ran = stroem(&["run", "r", "--path", path, "--max-concurrent", "1", "--output", "json"]);
    let job: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    let good = job["steps"].as_array().expect("steps").iter().find(|step| step["step_name"] == "good");
    let good = good.expect("the step");
    assert_eq!(good["status"], "completed");
    let attempt = &good["attempts"][0];
    let at =
        |key: &str| serde_json::from_value::<stroem_core::Timestamp>(attempt[key].clone()).expect("a time");
    assert!(at("claimed_at").since(at("ready_at")) < Duration::from_secs(10), "{attempt}");
}

#[test]
fn the_examples_end_as_they_say() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");
    let ran = out(&stroem(&["run", "checks", "--path", examples]));
    assert!(ran.contains("the failed check did not stop this step"), "{ran}");
    assert!(ran.contains("checks") && ran.contains(": completed\n"), "{ran}");
}

#[tokio::test]
async fn system_nobody_else_can_enter_where_a_worker_keeps_scripts() {
    let dir = folder("tasks:\n  t:\n    flow:\n      a: {type: script, script: sleep 60}\n");
    let system = System::start(dir.path()).await;
    let job = system.execute("t").await;
    system.step_is(job, "a", "running").await;
    for name in ["state", "cache"] {
        let mode = std::fs::metadata(system.dir().join("w1").join(name)).expect("there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
    }
}

#[tokio::test]
async fn system_a_worker_that_hangs_is_lost_after_its_heartbeat_timeout() {
    let dir = folder(
        "tasks:\n  t:\n    flow:\n      a: {type: script, script: 'echo $$ > \"$PIDS\"; sleep 1000', env: {PIDS: '{{ input.pids }}'}}\n    input:\n      pids: {type: string, required: true}\n",
    );
    let mut system = System::without_workers(dir.path(), "recovery: {heartbeat_timeout_secs: 3}").await;
    system.start_worker("w1", "").await;
    let pids = dir.path().join("pids");
    let input = serde_json::json!({ "pids": pids }).as_object().expect("an object").clone();
    let job = system.client.execute("default", "t", input).await.expect("a job").job_id;
    system.step_is(job, "a", "running").await;
    wait_for("the step runs", async || !noted(&pids).is_empty()).await;
    system.signal_worker("w1", "STOP");
    let step = system.step_is(job, "a", "ready").await;
    // Its poll stays open for 25 s, which must not count.
    let attempt = &step.attempts[0];
    let lived = attempt.ended_at.expect("it ended").since(attempt.claimed_at);
    assert!(lived < Duration::from_secs(20), "{lived:?}");
    let cause = step.attempts[0].outcome.as_ref().and_then(|outcome| outcome["cause"].as_str());
    assert_eq!(cause, Some("worker_lost"));
    let lines = system.lines(job).await;
    let note = "attempt 1 was lost with its worker; the step is queued again";
    assert!(lines.iter().any(|line| line["stream"] == "engine" && line["line"] == note), "{lines:?}");
    system.signal_worker("w1", "CONT");
    let step = noted(&pids).remove(0);
    wait_for("the worker learns that it lost the step", async || !alive(&step)).await;
}

#[tokio::test]
async fn system_pages_of_strangers_and_foreign_names_are_refused() {
    let dir = folder("tasks:\n  t:\n    flow:\n      a: {type: script, script: 'true'}\n");
    let system = System::without_workers(dir.path(), "").await;
    let transport = stroem_api::HttpTransport::new(&system.address).expect("an address");
    let execute = "/api/workspaces/default/tasks/t/execute";
    for (header, value, body, expected) in [
        ("origin", "http://evil.example", "", 403),
        ("host", "evil.example", "", 403),
        ("accept", "*/*", "[]", 400),
        ("accept", "*/*", "[{}]", 400),
        ("accept", "*/*", "{}", 200),
    ] {
        let request =
            http::Request::post(execute).header(header, value).body(body.into()).expect("a request");
        let response: Result<_, ApiError> = transport.send(request).await.map_err(Into::into);
        assert_eq!(response.expect("an answer").status(), expected, "{header}: {value} {body}");
    }
}

#[test]
fn an_early_interrupt_leaves_nothing_behind() {
    let dir = folder("tasks:\n  t:\n    flow:\n      a: {type: script, script: sleep 60}\n");
    let temporary = tempfile::tempdir().expect("a directory");
    for delay_ms in [0, 5, 10, 20, 40, 80] {
        let mut child = Command::new(crate::harness::STROEM)
            .args(["run", "t", "--path", dir.path().to_str().expect("UTF-8")])
            .env("TMPDIR", temporary.path())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("it starts");
        std::thread::sleep(Duration::from_millis(delay_ms));
        let told = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
        assert!(told.success());
        let ended = child.wait().expect("a child");
        let left = std::fs::read_dir(temporary.path()).expect("readable").count();
        assert_eq!(left, 0, "after {delay_ms} ms, {ended}");
    }
}
