//! Server and worker with a real Docker engine. Without one (`dev/docker up`) each test says that it was skipped.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};
use stroem_core::JobId;

use crate::{
    harness::{System, folder, wait_for},
    scenarios::{compare, expected, scenarios},
};

/// What stands for the runner image.
pub(crate) const IMAGE: &str = "stroem-test/runner";

/// What the `docker` program prints, or why it failed.
pub(crate) fn docker(arguments: &[&str]) -> Result<String, String> {
    let ran = Command::new("docker").args(arguments).output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if ran.status.success() { Ok(text(&ran.stdout)) } else { Err(text(&ran.stderr)) }
}

/// Whether there is an engine with the image; says so if not.
pub(crate) fn is_here() -> bool {
    match docker(&["image", "inspect", "--format", "{{.Id}}", IMAGE]) {
        Ok(_) => true,
        Err(error) => {
            stroem_runner::conformance::skip(&format!(
                "no Docker engine with {IMAGE} (`dev/docker up`): {error}"
            ));
            false
        }
    }
}

/// A worker's configuration.
pub(crate) fn worker(slots: u32) -> String {
    format!("tags: [script, docker]\nmax_concurrent: {slots}\ndocker: {{pull: never}}\nrunner_image: {IMAGE}")
}

/// A server and one worker on this workflow.
async fn system(workflow: &Path, slots: u32) -> System {
    let mut system = System::without_workers(workflow, "").await;
    system.start_worker("w1", &worker(slots)).await;
    system
}

/// Containers of a job, and volumes that nobody uses.
pub(crate) fn left_of(job: JobId) -> String {
    let filter = format!("label=dev.stroem.job={job}");
    docker(&["ps", "-aq", "--filter", &filter]).expect("an engine")
}

fn copy_with_docker(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("readable");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_with_docker(&from, &to);
        } else if from.parent().is_some_and(|parent| parent.ends_with(".workflows")) {
            let text = fs::read_to_string(&from).expect("text");
            let mut changed = String::new();
            for line in text.lines() {
                let indent = line.len() - line.trim_start().len();
                if line.trim() == "type: script" || line.trim() == "- type: script" {
                    let pad = " ".repeat(if line.trim().starts_with('-') { indent + 2 } else { indent });
                    changed.push_str(&format!("{line}\n{pad}runner: docker\n"));
                } else {
                    changed.push_str(&line.replace("{type: script,", "{type: script, runner: docker,"));
                    changed.push('\n');
                }
            }
            assert_eq!(
                changed.matches("runner: docker").count(),
                text.matches("type: script").count(),
                "{text}"
            );
            fs::write(to, changed).expect("written");
        } else {
            fs::copy(&from, &to).expect("copied");
        }
    }
}

#[tokio::test]
async fn system_scenarios_pass_in_containers() {
    if !is_here() {
        return;
    }
    let root = tempfile::tempdir().expect("a directory");
    let mut workspaces = String::new();
    let mut wanted = Vec::new();
    for dir in scenarios() {
        let name = dir.file_name().expect("a name").to_string_lossy().into_owned();
        let to = root.path().join(&name);
        copy_with_docker(&dir, &to);
        workspaces.push_str(&format!("  s{name}: {{path: {}}}\n", to.display()));
        wanted.push((format!("s{name}"), dir));
    }
    let first = root.path().join(wanted[0].1.file_name().expect("a name"));
    let mut system = System::without_workers(&first, &workspaces).await;
    system.start_worker("w1", &worker(8)).await;
    let mut jobs = Vec::new();
    for (workspace, dir) in &wanted {
        let expected = expected(dir);
        let made = system.client.execute(workspace, &expected.task, expected.input.clone()).await;
        jobs.push((dir, expected, made.expect("a job").job_id));
    }
    for (dir, expected, job) in jobs {
        let detail = serde_json::to_value(system.ended(job).await).expect("JSON");
        for step in detail["steps"].as_array().expect("steps") {
            assert_eq!(step["runner"], "docker", "{}", dir.display());
        }
        compare(dir, &expected, &detail);
        assert_eq!(left_of(job), "", "{}", dir.display());
    }
}

#[tokio::test]
async fn system_image_steps_give_outputs_and_logs() {
    if !is_here() {
        return;
    }
    let workflow = folder(&format!(
        r#"
tasks:
  main:
    flow:
      make:
        type: docker
        image: {IMAGE}
        cmd: 'echo "hello $WHO"; echo "OUTPUT: {{\"n\": 41}}"'
        env: {{WHO: "{{{{ input.who | default(value='world') }}}}"}}
      use:
        type: docker
        image: {IMAGE}
        command: [python3, -c, 'print("OUTPUT: [{{{{ make.output.n }}}}]")']
        depends_on: [make]
      missing:
        type: docker
        image: stroem-test/not-there
        command: ["true"]
"#
    ));
    let system = system(workflow.path(), 4).await;
    let job = system.execute("main").await;
    let detail = serde_json::to_value(system.ended(job).await).expect("JSON");
    let step = |name: &str| {
        let steps = detail["steps"].as_array().expect("steps");
        steps.iter().find(|step| step["step_name"] == name).expect("a step").clone()
    };
    assert_eq!(step("make")["output"], json!({"n": 41}), "{detail:#}");
    assert_eq!(step("use")["output"], json!([41]), "{detail:#}");
    assert_eq!(step("missing")["status"], "failed");
    assert_eq!(step("missing")["outcome"]["cause"], "image_pull", "{detail:#}");
    let lines = system.printed(job).await;
    assert!(lines.iter().any(|line| line == "hello world"), "{lines:?}");
    assert_eq!(left_of(job), "");
}

/// `STROEM_PROOF=full` takes the demand's numbers.
#[expect(clippy::disallowed_methods, reason = "tests have no configuration that could say it")]
pub(crate) fn is_full() -> bool {
    std::env::var("STROEM_PROOF").is_ok_and(|size| size == "full")
}

#[tokio::test]
async fn proof_hundreds_of_fast_containers_give_as_many_results() {
    if !is_here() {
        return;
    }
    let count = if is_full() { 500 } else { 40 };
    let steps: String = (0..count)
        .map(|index| format!("      s{index}: {{type: docker, image: {IMAGE}, command: [\"true\"]}}\n"))
        .collect();
    let workflow = folder(&format!("tasks:\n  main:\n    flow:\n{steps}"));
    let system = system(workflow.path(), 20).await;
    let job = system.execute("main").await;
    let detail = system.ended(job).await;
    let completed = detail.steps.iter().filter(|step| step.status.as_str() == "completed").count();
    assert_eq!(completed, count);
    assert_eq!(left_of(job), "");
}

#[tokio::test]
async fn proof_every_line_of_a_container_arrives_once_and_in_order() {
    if !is_here() {
        return;
    }
    let count = if is_full() { 200_000 } else { 20_000 };
    // Python writes one line in ten writes for a while; the awk lines are 100 bytes each.
    let text = format!(
        "awk 'BEGIN {{ for (i = 0; i < {count}; i++) printf \"%06d %s\\n\", i, substr(\"{pad}\", 1, 92) }}'\n\
         python3 -uc 'import sys; [sys.stdout.write(c) for c in \"one in ten\\n\"]'\n\
         printf 'broken \\377\\376 bytes\\n'\n\
         printf 'OUTPUT: \"'; head -c 1000000 /dev/zero | tr '\\0' x; printf '\"\\n'\n\
         echo last\n",
        pad = "x".repeat(92)
    );
    let indented = text.replace('\n', "\n          ");
    let workflow = folder(&format!(
        "tasks:\n  main:\n    flow:\n      print:\n        type: script\n        runner: docker\n        script: |\n          {indented}\n"
    ));
    let system = system(workflow.path(), 2).await;
    let job = system.execute("main").await;
    let detail = serde_json::to_value(system.ended(job).await).expect("JSON");
    assert_eq!(detail["status"], "completed", "{:.2000}", detail.to_string());
    assert_eq!(detail["steps"][0]["output"].as_str().map(str::len), Some(1_000_000));
    let lines = system.printed(job).await;
    for (index, line) in lines.iter().take(count).enumerate() {
        assert!(line.len() == 99 && line.starts_with(&format!("{index:06} x")), "line {index}: {line}");
    }
    let rest: Vec<&str> = lines[count..].iter().map(String::as_str).collect();
    assert_eq!(rest[0], "one in ten");
    assert!(rest[1].starts_with("broken ") && rest[1].ends_with(" bytes"), "{:?}", rest[1]);
    assert_eq!(rest.last(), Some(&"last"), "{} lines", rest.len());
}

#[tokio::test]
async fn system_a_cancel_stops_the_container() {
    if !is_here() {
        return;
    }
    let workflow = folder(
        "tasks:\n  main:\n    flow:\n      wait: {type: script, runner: docker, script: 'echo up; sleep 1000'}\n",
    );
    let system = system(workflow.path(), 2).await;
    let job = system.execute("main").await;
    wait_for("the script prints", async || system.printed(job).await.iter().any(|line| line == "up")).await;
    assert_ne!(left_of(job), "");
    system.client.cancel(job).await.expect("cancelled");
    assert_eq!(system.ended(job).await.status.as_str(), "cancelled");
    assert_eq!(left_of(job), "");
}

#[tokio::test]
async fn system_an_engine_that_is_down_takes_its_tag_back_until_it_is_up() {
    if !is_here() {
        return;
    }
    let sockets = tempfile::tempdir().expect("a directory");
    let socket = sockets.path().join("docker.sock");
    let workflow = folder(&format!(
        "tasks:\n  main:\n    flow:\n      one: {{type: docker, image: {IMAGE}, command: [\"true\"]}}\n"
    ));
    let mut system = System::without_workers(workflow.path(), "").await;
    let config = format!(
        "tags: [script, docker]\ndocker: {{pull: never, host: 'unix://{}'}}\nrunner_image: {IMAGE}",
        socket.display()
    );
    system.start_worker("w1", &config).await;
    let workers = serde_json::to_value(system.client.workers().await.expect("workers")).expect("JSON");
    let text = workers.to_string();
    assert!(text.contains("cannot be reached") && text.contains("docker.sock"), "{workers:#}");
    let job = system.execute("main").await;
    system.step_is(job, "one", "ready").await;
    std::os::unix::fs::symlink("/var/run/docker.sock", &socket).expect("linked");
    assert_eq!(system.ended(job).await.status.as_str(), "completed");
}

#[test]
fn system_a_local_run_takes_steps_in_containers() {
    if !is_here() {
        return;
    }
    let workflow = folder(&format!(
        "tasks:\n  main:\n    flow:\n      one: {{type: docker, image: {IMAGE}, cmd: 'echo \"OUTPUT: 7\"'}}\n"
    ));
    let path = workflow.path().to_string_lossy().into_owned();
    let ran = crate::harness::stroem(&["run", "main", "--path", &path, "--output", "json"]);
    let job: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    assert_eq!((&job["status"], &job["steps"][0]["output"]), (&json!("completed"), &json!(7)), "{job:#}");
}
