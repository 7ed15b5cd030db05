//! What a user does first, and what is said when it is wrong.

use serde_json::{Map, json};

use crate::harness::{System, folder, out, stroem, wait_for};

const HELLO: &str = "tasks:\n  hello:\n    input:\n      n: {type: integer, required: true}\n      mood: {type: string, options: [good, bad]}\n    flow:\n      say: {type: script, script: echo hi}\n";

#[test]
fn system_validate_names_every_problem_and_exits_1() {
    let dir = folder("tasks:\n  a:\n    flw: {}\n    timeout: soon\n");
    let ran = stroem(&["validate", &dir.path().to_string_lossy()]);
    assert_eq!(ran.status.code(), Some(1));
    let text = out(&ran);
    assert!(text.contains("did you mean `flow`") || text.contains("flow"), "{text}");
    assert!(text.contains("main.yaml:3:5") && text.contains("main.yaml:4:14"), "{text}");
}

#[tokio::test]
async fn system_bad_input_is_refused_with_every_problem_at_once() {
    let dir = folder(HELLO);
    let system = System::without_workers(dir.path(), "").await;
    let input: Map<_, _> = json!({"mood": "so-so", "extra": 1}).as_object().expect("a map").clone();
    let error = system.client.execute("default", "hello", input).await.expect_err("refused");
    let stroem_api::ApiError::Refused { status, body } = error else { panic!("{error}") };
    assert_eq!((status, body.code.as_str()), (400, "invalid_input"));
    let mut places: Vec<_> = body.details.iter().map(|detail| detail.place.as_str()).collect();
    places.sort_unstable();
    assert_eq!(places, ["extra", "mood", "n"]);
}

#[tokio::test]
async fn system_a_broken_file_takes_only_itself_out_and_is_listed() {
    let dir = folder("tasks:\n  good:\n    flow:\n      a: {type: script, script: 'true'}\n");
    std::fs::write(
        dir.path().join(".workflows/broken.yaml"),
        "tasks:\n  bad:\n    flow:\n      a: {type: scrpt}\n",
    )
    .expect("written");
    let system = System::start(dir.path()).await;
    let tasks = system.client.tasks().await.expect("tasks");
    let health: Vec<_> = tasks.iter().map(|task| (task.name.as_str(), task.healthy)).collect();
    assert_eq!(health, [("bad", false), ("good", true)]);
    let bad = system.client.task("default", "bad").await.expect("listed");
    assert!(bad.diagnostics.iter().any(|problem| problem.line == 4), "{:?}", bad.diagnostics);
    let job = system.execute("good").await;
    assert_eq!(system.ended(job).await.status.as_str(), "completed");
    let error = system.client.execute("default", "bad", Map::new()).await.expect_err("out of service");
    assert_eq!(error.code(), Some("task_broken"));
}

#[tokio::test]
async fn system_a_change_of_files_is_seen_without_a_restart() {
    let dir = folder("tasks:\n  one:\n    flow:\n      a: {type: script, script: 'true'}\n");
    let system = System::without_workers(dir.path(), "").await;
    let before = system.client.workspaces().await.expect("workspaces")[0].revision.clone();
    std::fs::write(
        dir.path().join(".workflows/two.yaml"),
        "tasks:\n  two:\n    flow:\n      a: {type: script, script: 'true'}\n",
    )
    .expect("written");
    system.client.execute("default", "two", Map::new()).await.expect("a trigger sees the write before it");
    wait_for("a new revision", async || {
        system.client.workspaces().await.expect("workspaces")[0].revision != before
    })
    .await;
}

#[tokio::test]
async fn system_a_running_job_keeps_the_plan_it_was_created_with() {
    let dir = folder(
        "tasks:\n  t:\n    flow:\n      a: {type: script, script: sleep 1}\n      b: {type: script, script: echo old, depends_on: [a]}\n",
    );
    let system = System::start(dir.path()).await;
    let job = system.execute("t").await;
    system.step_is(job, "a", "running").await;
    std::fs::remove_file(dir.path().join(".workflows/main.yaml")).expect("removed");
    let detail = system.ended(job).await;
    assert_eq!(detail.status.as_str(), "completed");
    assert_eq!(system.printed(job).await, ["old"]);
}

#[tokio::test]
async fn system_a_step_sees_nothing_of_the_workers_environment() {
    let dir = folder("tasks:\n  t:\n    flow:\n      a: {type: script, script: env}\n");
    let system = System::start(dir.path()).await;
    let job = system.execute("t").await;
    system.ended(job).await;
    let lines = system.printed(job).await;
    assert!(lines.iter().any(|line| line.starts_with("STROEM_JOB_ID=")), "{lines:?}");
    assert!(
        !lines.iter().any(|line| line.contains("SECRET_OF_THE_WORKER") || line.contains("t0ken")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn system_cancel_kills_every_process_and_answers_at_once() {
    let dir = folder(
        "tasks:\n  t:\n    flow:\n      a:\n        type: script\n        script: |\n          sleep 1000 & echo $!; setsid sleep 1000 & echo $!\n          echo $$; echo go; sleep 1000\n      b: {type: script, script: 'true', depends_on: [a]}\n",
    );
    let system = System::start(dir.path()).await;
    let job = system.execute("t").await;
    wait_for("the step has begun", async || system.printed(job).await.iter().any(|line| line == "go")).await;
    let pids: Vec<String> = system.printed(job).await.into_iter().filter(|line| line != "go").collect();
    assert_eq!(system.client.cancel(job).await.expect("cancelled").status, "cancelled");
    assert_eq!(system.client.job(job).await.expect("a job").status.as_str(), "cancelled");
    let detail = system.ended(job).await;
    assert_eq!(detail.status.as_str(), "cancelled");
    let states: Vec<_> = detail.steps.iter().map(|step| step.status.as_str()).collect();
    assert_eq!(states, ["cancelled", "cancelled"]);
    assert!(pids.iter().all(|pid| !crate::harness::alive(pid)), "{pids:?}");
    assert_eq!(system.client.cancel(job).await.expect_err("over").code(), Some("job_ended"));
}
