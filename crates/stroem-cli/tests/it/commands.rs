//! The commands of the program against a real server: what they print and how they end.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{STROEM, System, folder, out, stroem, wait_for};

const TASKS: &str = "tasks:\n  say:\n    input:\n      name: {type: string, required: true}\n    flow:\n      hello:\n        type: script\n        env: {NAME: '{{ input.name }}'}\n        script: |\n          echo \"Hello, $NAME\"\n          echo \"OUTPUT: {\\\"name\\\": \\\"$NAME\\\"}\"\n      bye: {type: script, script: echo bye, depends_on: [hello]}\n  breaks:\n    flow:\n      a: {type: script, script: 'echo broken >&2; exit 7'}\n  long:\n    flow:\n      a: {type: script, script: echo begun; sleep 1000}\n";

/// Runs a command against a server: its exit code and both outputs.
fn ask(server: &str, arguments: &[&str]) -> (i32, String, String) {
    let all = [arguments, &["--server", server]].concat();
    let ran = stroem(&all);
    let code = ran.status.code().expect("it ended by itself");
    (code, out(&ran), String::from_utf8_lossy(&ran.stderr).into_owned())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test]
async fn system_a_task_is_triggered_followed_and_looked_at() {
    let dir = folder(TASKS);
    let system = System::start(dir.path()).await;
    let server = system.address.as_str();
    let input = r#"{"name": "Ada"}"#;
    let (code, printed, _) = ask(server, &["trigger", "say", "--input", input, "--follow"]);
    assert_eq!(code, 0, "{printed}");
    assert!(printed.starts_with("hello | Hello, Ada\n"), "{printed}");
    assert!(printed.contains("\nbye | bye\n"), "{printed}");

    let (code, printed, _) = ask(server, &["trigger", "say", "--input", input, "--wait", "--output", "json"]);
    let job = json(&printed);
    assert_eq!((code, &job["status"]), (0, &Value::from("completed")));
    let id = job["job_id"].as_str().expect("an id");

    let (code, printed, _) = ask(server, &["jobs", "--task", "say", "--output", "json"]);
    assert_eq!((code, &json(&printed)["total"]), (0, &Value::from(2)));
    assert!(ask(server, &["jobs"]).1.contains(id));
    assert!(ask(server, &["status", id]).1.contains("completed"));
    assert_eq!(ask(server, &["logs", id, "bye"]), (0, "bye\n".to_owned(), String::new()));
    assert_eq!(ask(server, &["logs", id, "--follow"]).1, ask(server, &["logs", id]).1);
    let lines = ask(server, &["logs", id, "--output", "json"]).1;
    assert!(
        lines.lines().count() >= 2 && lines.lines().all(|line| json(line)["step"].is_string()),
        "{lines}"
    );
    assert!(ask(server, &["workers"]).1.contains("w1"));
    assert_eq!(json(&ask(server, &["workers", "--output", "json"]).1)[0]["name"], "w1");
    assert!(ask(server, &["explain", id, "bye"]).1.starts_with("bye is completed"));
}

#[tokio::test]
async fn system_the_exit_code_says_how_it_went() {
    let dir = folder(TASKS);
    let system = System::start(dir.path()).await;
    let server = system.address.as_str();
    let (code, printed, _) = ask(server, &["trigger", "breaks", "--wait"]);
    assert_eq!(code, 1);
    assert!(printed.contains("exited with code 7"), "{printed}");

    let (code, printed, _) = ask(server, &["trigger", "long"]);
    assert_eq!(code, 0);
    let id = printed.trim();
    system.step_is(id.parse().expect("an id"), "a", "running").await;
    assert_eq!(ask(server, &["cancel", id]), (0, "cancelled\n".to_owned(), String::new()));
    let (code, printed, told) = ask(server, &["cancel", id]);
    assert_eq!((code, printed.as_str()), (5, ""), "{told}");

    for (arguments, expected, part) in [
        (&["trigger", "sya"][..], 5, "did you mean `say`?"),
        (&["trigger", "say"], 5, "name"),
        (&["trigger", "say", "--input", "name=Ada"], 2, "is not JSON"),
        (&["trigger", "say", "--input", "@/no/such/file"], 2, "/no/such/file"),
        (&["status", "0190f3c2-7b1e-7c3a-9d55-0242ac120002"], 5, "no such job"),
        (&["logs", id, "b"], 5, "no step `b`"),
    ] {
        let (code, printed, told) = ask(server, arguments);
        assert_eq!((code, printed.as_str()), (expected, ""), "{arguments:?}: {told}");
        assert!(told.starts_with("error: ") && told.contains(part), "{arguments:?}: {told}");
    }
}

#[test]
fn system_a_server_that_is_not_there_is_named_with_the_remedy() {
    // Port 1 needs a privilege and nobody listens there.
    let (code, printed, told) = ask("http://127.0.0.1:1", &["jobs"]);
    assert_eq!((code, printed.as_str()), (4, ""));
    assert!(told.starts_with("error: cannot reach http://127.0.0.1:1"), "{told}");
    assert!(told.contains("start a server with `stroem dev`"), "{told}");
    let (code, _, told) = ask("http://127.0.0.1:1", &["jobs", "--output", "json"]);
    let told = json(&told);
    assert_eq!((code, &told["code"], &told["exit_code"]), (4, &"unreachable".into(), &4.into()));
    let (code, _, told) = ask("localhost:8080", &["jobs"]);
    assert_eq!(code, 2);
    assert!(told.contains("write for example http://127.0.0.1:8080"), "{told}");
}

#[tokio::test]
async fn system_following_survives_a_killed_server() {
    let dir = folder(
        "tasks:\n  t:\n    flow:\n      talk:\n        type: script\n        script: |\n          for ((i = 1; i <= 300; i++)); do echo \"line $i\"; sleep 0.01; done\n",
    );
    let mut system = System::start(dir.path()).await;
    let job = system.execute("t").await;
    let printed = system.dir().join("followed");
    let mut follower = Command::new(STROEM)
        .args(["logs", &job.to_string(), "talk", "--follow", "--server", &system.address])
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&printed).expect("a file"))
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let read = || std::fs::read_to_string(&printed).expect("text");
    wait_for("the first lines are printed", async || read().contains("line 20\n")).await;
    system.kill_server();
    system.start_server().await;
    let code = follower.wait().expect("a child").code();
    let expected: String = (1..=300).map(|i| format!("line {i}\n")).collect();
    assert_eq!((read(), code), (expected, Some(0)));
}

#[test]
fn system_ctrl_c_cancels_a_local_run() {
    let dir = folder(TASKS);
    let printed = dir.path().join("printed");
    let mut child = Command::new(STROEM)
        .args(["run", "long", "--path", &dir.path().to_string_lossy()])
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&printed).expect("a file"))
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let begun = || std::fs::read_to_string(&printed).expect("text").contains("a | begun\n");
    for _ in 0..1_200 {
        if begun() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    assert!(begun());
    let told = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(told.success());
    assert_eq!(child.wait().expect("a child").code(), Some(3));
}

#[test]
fn system_references_and_schema_are_printed() {
    assert_eq!(json(&out(&stroem(&["schema"])))["title"], "Strøm workflow file");
    assert!(json(&out(&stroem(&["openapi"])))["openapi"].as_str().is_some_and(|it| it.starts_with("3.1")));
    assert!(out(&stroem(&["reference", "workflow"])).starts_with("# Workflow files\n"));
    let page = out(&stroem(&["reference", "cli"]));
    assert!(page.contains("## stroem explain\n") && page.contains("| 70 |"), "{page}");
    assert!(!page.contains("openapi"), "{page}");
}

#[test]
fn system_a_dev_server_that_cannot_listen_says_so() {
    let dir = folder(TASKS);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let data = dir.path().join("data");
    let ran = stroem(&[
        "dev",
        "--path",
        &dir.path().to_string_lossy(),
        "--data-dir",
        &data.to_string_lossy(),
        "--listen",
        &address,
    ]);
    let told = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(ran.status.code(), Some(6), "{told}");
    assert!(told.contains(&address), "{told}");
}
