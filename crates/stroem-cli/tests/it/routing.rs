//! Which worker takes what, on both stores.

use std::process::Command;

use stroem_testkit::postgres;

use crate::harness::{STROEM, System, folder, out, stroem, wait_for};

/// What a step's error says when nobody takes it.
const UNMATCHED: &str = "No active worker with required tags to run this step";

const TAGGED: &str =
    "tasks:\n  t:\n    flow:\n      train: {type: script, script: echo trained, tags: [gpu]}\n";

/// Runs a test on SQLite and on PostgreSQL; it gets the line of the configuration that names the database.
async fn on_both_stores(test: &str, run: impl AsyncFn(&str)) {
    run("").await;
    match postgres::shared() {
        Ok(server) => {
            let database = server.database();
            run(&format!("\ndb: {{url: '{}'}}", database.url())).await;
        }
        Err(missing) => stroem_testkit::skip(test, &missing.0),
    }
}

#[tokio::test]
async fn system_a_step_no_worker_can_take_fails_with_the_exact_text() {
    on_both_stores("system_a_step_no_worker_can_take_fails_with_the_exact_text", async |db| {
        let dir = folder(TAGGED);
        let mut system = System::without_workers(
            dir.path(),
            &("recovery: {unmatched_step_timeout_secs: 2}".to_owned() + db),
        )
        .await;
        system.start_worker("plain", "tags: [script]").await;
        let job = system.execute("t").await;
        let explained = system.client.explain(job, "train").await.expect("explained");
        assert_eq!(explained.workers[0].missing_tags, ["gpu"]);
        let detail = system.ended(job).await;
        assert_eq!(detail.status.as_str(), "failed");
        let error = detail.steps[0].error_message.as_deref();
        assert_eq!(error, Some("No active worker with required tags to run this step"));
    })
    .await;
}

#[tokio::test]
async fn system_a_worker_that_joins_in_time_takes_the_step() {
    on_both_stores("system_a_worker_that_joins_in_time_takes_the_step", async |db| {
        let dir = folder(TAGGED);
        let mut system = System::without_workers(
            dir.path(),
            &("recovery: {unmatched_step_timeout_secs: 20}".to_owned() + db),
        )
        .await;
        system.start_worker("plain", "tags: [script]").await;
        let job = system.execute("t").await;
        system.start_worker("gpu", "tags: [script, gpu]").await;
        assert_eq!(system.ended(job).await.status.as_str(), "completed");
    })
    .await;
}

/// The workers of the table below: name and keys of the configuration.
const WORKERS: [(&str, &str); 5] = [
    ("plain", "tags: [script]"),
    ("gpu", "tags: [script, gpu]"),
    ("merged", "tags: [script]\ncapabilities: [gpu, ssd]"),
    ("own", "tags: [script, eu]\nexclusive: true"),
    ("no-scripts", "tags: [gpu, arm]"),
];

/// Tags of the action, tags of the step, and who may take the step; nobody: it fails.
const RULES: [(&str, &str, &[&str]); 8] = [
    ("", "", &["plain", "gpu", "merged"]),
    ("gpu", "", &["gpu", "merged"]),
    ("", "gpu", &["gpu", "merged"]),
    ("gpu", "ssd", &["merged"]),
    ("ssd", "ssd, gpu", &["merged"]),
    ("eu", "", &["own"]),
    ("eu", "gpu", &[]),
    ("arm", "", &[]),
];

#[tokio::test]
async fn system_a_step_is_taken_by_a_worker_with_all_of_its_tags_and_by_no_other() {
    let mut workflow = "actions:\n".to_owned();
    for (n, (action, _, _)) in RULES.iter().enumerate() {
        workflow += &format!("  a{n}: {{type: script, script: sleep 0.05, tags: [{action}]}}\n");
    }
    workflow += "tasks:\n";
    for (n, (_, step, _)) in RULES.iter().enumerate() {
        workflow += &format!("  t{n}:\n    flow:\n");
        for i in 0..6 {
            workflow += &format!("      s{i}: {{action: a{n}, tags: [{step}]}}\n");
        }
    }
    let dir = folder(&workflow);
    let test = "system_a_step_is_taken_by_a_worker_with_all_of_its_tags_and_by_no_other";
    on_both_stores(test, async |db| {
        let recovery = "recovery: {unmatched_step_timeout_secs: 2}".to_owned() + db;
        let mut system = System::without_workers(dir.path(), &recovery).await;
        for (name, keys) in WORKERS {
            system.start_worker(name, keys).await;
        }
        let mut jobs = Vec::new();
        for n in 0..RULES.len() {
            jobs.push(system.execute(&format!("t{n}")).await);
        }
        let workers = system.client.workers().await.expect("workers");
        for (job, rule) in jobs.into_iter().zip(RULES) {
            let detail = system.ended(job).await;
            for step in &detail.steps {
                let taken = step.worker_id.as_ref().map(|id| {
                    workers.iter().find(|worker| worker.id == *id).expect("it is registered").name.as_str()
                });
                match taken {
                    Some(name) => assert!(rule.2.contains(&name), "{rule:?}: {name}"),
                    None => {
                        assert!(rule.2.is_empty(), "{rule:?}: {step:?}");
                        assert_eq!(step.error_message.as_deref(), Some(UNMATCHED), "{rule:?}");
                    }
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn system_an_explanation_names_the_missing_tags_of_each_worker() {
    let dir = folder("tasks:\n  t:\n    flow:\n      a: {type: script, script: 'true', tags: [gpu, eu]}\n");
    on_both_stores("system_an_explanation_names_the_missing_tags_of_each_worker", async |db| {
        let mut system = System::without_workers(dir.path(), db).await;
        for (name, keys) in WORKERS {
            system.start_worker(name, keys).await;
        }
        let job = system.execute("t").await;
        let explained = system.client.explain(job, "a").await.expect("explained");
        assert_eq!(explained.required_tags, ["eu", "gpu", "script"]);
        let missing = explained
            .workers
            .iter()
            .map(|worker| format!("{} {}", worker.name, worker.missing_tags.join(",")));
        let mut missing: Vec<_> = missing.collect();
        missing.sort();
        assert_eq!(missing, ["gpu eu", "merged eu", "no-scripts eu,script", "own gpu", "plain eu,gpu"]);
        let fails_at = explained.fails_at.expect("it will fail");
        let ready_at = system.step_is(job, "a", "ready").await.ready_at.expect("it is ready");
        assert_eq!(fails_at.since(ready_at), std::time::Duration::from_secs(30), "the default");
        let shown = out(&stroem(&["explain", &job.to_string(), "a", "--server", &system.address]));
        assert!(shown.contains("no-scripts: lacks eu, script"), "{shown}");
    })
    .await;
}

#[tokio::test]
async fn system_a_draining_worker_finishes_what_runs_and_leaves() {
    let dir = folder("tasks:\n  t:\n    flow:\n      a: {type: script, script: sleep 1; echo done}\n");
    let mut system = System::start(dir.path()).await;
    let job = system.execute("t").await;
    system.step_is(job, "a", "running").await;
    assert_eq!(system.drain_worker("w1"), 0);
    let detail = system.client.job(job).await.expect("a job");
    assert_eq!(detail.status.as_str(), "completed");
    assert_eq!(system.client.workers().await.expect("workers")[0].status, "gone");
}

#[tokio::test]
async fn system_an_exclusive_worker_takes_only_steps_that_ask_for_its_custom_tags() {
    on_both_stores("system_an_exclusive_worker_takes_only_steps_that_ask_for_its_custom_tags", async |db| {
    let workflow = "tasks:\n  plain:\n    flow:\n      a: {type: script, script: echo plain}\n  train:\n    flow:\n      a: {type: script, script: echo trained, tags: [gpu]}\n";
    let dir = folder(workflow);
    let mut system = System::without_workers(dir.path(), &("recovery: {unmatched_step_timeout_secs: 2}".to_owned() + db)).await;
    system.start_worker("own", "tags: [script]\ncapabilities: [gpu]\nexclusive: true").await;
    assert_eq!(system.ended(system.execute("train").await).await.status.as_str(), "completed");
    let job = system.execute("plain").await;
    let explained = system.client.explain(job, "a").await.expect("explained");
    assert!(explained.workers[0].missing_tags.is_empty());
    let remark = explained.workers[0].remark.as_deref();
    assert_eq!(remark, Some("is exclusive: it takes only steps that ask for all of its custom tags"));
    let detail = system.ended(job).await;
    let error = detail.steps[0].error_message.as_deref();
    assert_eq!(error, Some("No active worker with required tags to run this step"));
    system.start_worker("open", "tags: [script]").await;
    assert_eq!(system.ended(system.execute("plain").await).await.status.as_str(), "completed");
    })
    .await;
}

#[tokio::test]
async fn system_workers_that_restart_do_not_fail_what_waited_long() {
    on_both_stores("system_workers_that_restart_do_not_fail_what_waited_long", async |db| {
    let dir = folder(
        "tasks:\n  block:\n    flow:\n      a: {type: script, script: 'until [ -e \"$GO\" ]; do sleep 0.05; done', env: {GO: '{{ input.go }}'}}\n    input:\n      go: {type: string, required: true}\n  t:\n    flow:\n      a: {type: script, script: echo done}\n",
    );
    let recovery = "recovery: {unmatched_step_timeout_secs: 4, heartbeat_timeout_secs: 5}".to_owned() + db;
    let mut system = System::without_workers(dir.path(), &recovery).await;
    system.start_worker("w1", "max_concurrent: 1").await;
    let go = dir.path().join("go");
    let input = serde_json::json!({ "go": go }).as_object().expect("an object").clone();
    let blocker = system.client.execute("default", "block", input).await.expect("a job").job_id;
    system.step_is(blocker, "a", "running").await;
    let waiting = system.execute("t").await;
    let ready_at = system.step_is(waiting, "a", "ready").await.ready_at.expect("it is ready");
    system.kill_worker("w1");
    // Judged lost five seconds later, when the step has waited for longer than the time-out.
    wait_for("the worker is judged lost", async || {
        system.client.workers().await.expect("workers")[0].status == "gone"
    })
    .await;
    system.start_worker("w1", "max_concurrent: 1").await;
    let detail = system.ended(waiting).await;
    assert_eq!(detail.status.as_str(), "completed", "{:?}", detail.steps[0].error_message);
    let claimed_at = detail.steps[0].attempts[0].claimed_at;
    assert!(claimed_at.since(ready_at) > std::time::Duration::from_secs(4), "it waited");
    std::fs::write(go, "").expect("written");
    assert_eq!(system.ended(blocker).await.status.as_str(), "completed");
    })
    .await;
}

#[tokio::test]
async fn system_validate_warns_of_tags_that_no_active_worker_has() {
    let dir = folder(TAGGED);
    let path = dir.path().to_string_lossy().into_owned();
    let mut system = System::without_workers(dir.path(), "").await;
    system.start_worker("plain", "tags: [script]").await;
    let ran = stroem(&["validate", &path, "--server", &system.address]);
    let text = out(&ran);
    assert_eq!(ran.status.code(), Some(0), "a warning is no error: {text}");
    assert!(text.contains("warning[no_matching_worker]: the step `train` of `t`"), "{text}");
    assert!(text.contains("no active worker has its tag `gpu`") && text.contains("main.yaml:4:7"), "{text}");
    let mut by_variable = Command::new(STROEM);
    by_variable.args(["validate", &path, "--output", "json"]).env("STROEM_URL", &system.address);
    let text = out(&by_variable.output().expect("it runs"));
    assert!(text.contains("\"code\": \"no_matching_worker\""), "{text}");
    system.start_worker("gpu", "tags: [script, gpu]").await;
    let text = out(&stroem(&["validate", &path, "--server", &system.address]));
    assert!(text.starts_with("1 file(s), 1 task(s): 0 error(s), 0 warning(s)"), "{text}");
}

#[test]
fn system_validate_tells_what_files_have_although_the_server_is_gone() {
    let nobody = "http://127.0.0.1:1";
    let dir = folder(TAGGED);
    let ran = stroem(&["validate", &dir.path().to_string_lossy(), "--server", nobody]);
    assert_eq!(ran.status.code(), Some(4));
    assert!(out(&ran).contains("0 error(s)"));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("cannot reach"));
    let dir = folder("tasks:\n  t: {}\n");
    let ran = stroem(&["validate", &dir.path().to_string_lossy(), "--server", nobody]);
    assert_eq!(ran.status.code(), Some(1));
    assert!(out(&ran).contains("error[missing_key]"));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("cannot reach"));
}

#[test]
fn system_a_code_is_explained_without_a_server() {
    let text = out(&stroem(&["explain", "no_matching_worker"]));
    assert!(
        text.starts_with("no_matching_worker (warning): no active worker has the tags of a step\n"),
        "{text}"
    );
    let ran = stroem(&["explain", "no_mathcing_worker"]);
    assert_eq!(ran.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("did you mean `no_matching_worker`?"));
    let ran = stroem(&["explain", "0190f3c2-7b1e-7c3a-9d55-0242ac120002"]);
    assert_eq!(ran.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("name a step too"));
}
