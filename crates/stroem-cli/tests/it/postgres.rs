//! The same server and worker on PostgreSQL.

use stroem_testkit::postgres::{self, Restart, Setup};

use crate::harness::{System, folder};

const CHAIN: &str = "tasks:\n  t:\n    flow:\n      a: {type: script, script: 'for i in 1 2 3 4 5 6 7 8 9 10; do echo line $i; sleep 0.2; done; echo \"OUTPUT: {\\\"n\\\": 1}\"'}\n      b: {type: script, depends_on: [a], env: {N: '{{ a.output.n }}'}, script: 'echo \"OUTPUT: {\\\"n\\\": $((N + 1))}\"'}\n";

async fn system(url: &str, folder: &std::path::Path) -> System {
    let mut system = System::without_workers(folder, &format!("db: {{url: '{url}'}}")).await;
    system.start_worker("w1", "").await;
    system
}

#[tokio::test]
async fn system_a_job_survives_its_server_and_its_postgresql() {
    let test = "system_a_job_survives_its_server_and_its_postgresql";
    let server = match postgres::private(&Setup::default()) {
        Ok(server) => server,
        Err(missing) => return stroem_testkit::skip(test, &missing.0),
    };
    let dir = folder(CHAIN);
    let url = server.url("postgres");
    let mut system = system(&url, dir.path()).await;
    for round in 0..3 {
        let job = system.execute("t").await;
        system.step_is(job, "a", "running").await;
        match round {
            0 => {}
            1 => {
                system.kill_server();
                system.start_server().await;
            }
            _ => server.restart(Restart::Immediate),
        }
        let ended = system.ended(job).await;
        assert_eq!(ended.status.as_str(), "completed", "round {round}");
        assert_eq!(ended.output, Some(serde_json::json!({"b": {"n": 2}})), "round {round}");
        let expected: Vec<String> = (1..=10).map(|i| format!("line {i}")).collect();
        assert_eq!(system.printed(job).await, expected, "round {round}");
    }
}
