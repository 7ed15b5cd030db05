//! Every line, in order, once.

use crate::harness::{System, folder};

#[tokio::test]
async fn system_200_000_lines_arrive_complete_and_in_order() {
    let dir = folder(
        "tasks:\n  t:\n    flow:\n      flood:\n        type: script\n        script: |\n          awk 'BEGIN { for (i = 1; i <= 200000; i++) printf \"%08d %091d\\n\", i, 0 }'\n",
    );
    let system = System::start(dir.path()).await;
    let job = system.execute("t").await;
    assert_eq!(system.ended(job).await.status.as_str(), "completed");
    let lines = system.printed(job).await;
    assert_eq!(lines.len(), 200_000);
    let in_order =
        lines.iter().enumerate().all(|(index, line)| line.starts_with(&format!("{:08} ", index + 1)));
    assert!(in_order, "a line is missing, doubled or out of order");
}

#[tokio::test]
async fn system_lines_survive_a_server_outage() {
    let dir = folder(
        "tasks:\n  t:\n    flow:\n      talk:\n        type: script\n        script: |\n          for ((i = 1; i <= 400; i++)); do echo \"line $i\"; sleep 0.01; done\n",
    );
    let mut system = System::start(dir.path()).await;
    let job = system.execute("t").await;
    system.step_is(job, "talk", "running").await;
    system.kill_server();
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    system.start_server().await;
    assert_eq!(system.ended(job).await.status.as_str(), "completed");
    let expected: Vec<String> = (1..=400).map(|i| format!("line {i}")).collect();
    assert_eq!(system.printed(job).await, expected);
}

#[tokio::test]
async fn system_secrets_are_masked_in_log_output_and_error() {
    let dir = folder(
        "secrets:\n  pw: hunter2-hunter2\ntasks:\n  t:\n    flow:\n      leak:\n        type: script\n        env: {PW: '{{ secret.pw }}'}\n        script: |\n          echo \"plain $PW\"; printf %s \"$PW\" | base64; printf 'hun'; sleep 0.1; echo 'ter2-hunter2'\n          echo \"OUTPUT: {\\\"pw\\\": \\\"$PW\\\"}\"\n",
    );
    let system = System::start(dir.path()).await;
    let job = system.execute("t").await;
    let detail = serde_json::to_string(&system.ended(job).await).expect("JSON");
    let lines = system.printed(job).await;
    assert_eq!(lines, ["plain ••••••", "••••••", "••••••"]);
    assert!(detail.contains("••••••") && !detail.contains("hunter2"), "{detail}");
}
