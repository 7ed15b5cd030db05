//! The lines of audit.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use crate::fixture::{ADMIN, READER, RUNNER, Server, auth};

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("one thread").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Kept {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn what_people_do_and_try_has_a_line_without_their_tokens() {
    let kept = Kept::default();
    let subscriber = tracing_subscriber::fmt().json().with_writer(kept.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = Server::start(&auth()).await;
    let made = server.ask("POST", "/api/workspaces/default/tasks/t/execute", RUNNER).await.json().await;
    let job = made["job_id"].as_str().expect("an id").to_owned();
    server.ask("POST", &format!("/api/jobs/{job}/cancel"), RUNNER).await;
    server.ask("POST", &format!("/api/jobs/{job}/cancel"), READER).await;
    server.ask("GET", "/api/jobs", READER).await;
    server.ask("GET", "/api/jobs", "").await;
    let body = json!({ "token": ADMIN }).to_string();
    let session = server.ask_from([10, 0, 0, 7], "POST", "/api/auth/login", "", &body).await.cookie();
    server.ask("POST", "/api/auth/logout", &session).await;
    server.ask("POST", "/api/auth/logout", "").await;
    for _ in 0..30 {
        server.ask_from([10, 0, 0, 8], "GET", "/api/jobs", "a-wrong-token-of-somebody", "").await;
    }

    let text = String::from_utf8(kept.0.lock().expect("one thread").clone()).expect("text");
    for secret in [READER, RUNNER, ADMIN, "a-wrong-token", "stroem_session"] {
        assert!(!text.contains(secret), "{text}");
    }
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let lines: Vec<String> = lines
        .filter(|line| line["target"] == "audit")
        .map(|line| {
            let of = |name: &str| line["fields"][name].to_string().trim_matches('"').to_owned();
            ["who", "role", "action", "on", "from", "status", "result"].map(of).join(" | ")
        })
        .collect();
    let execute = "/api/workspaces/{ws}/tasks/{task}/execute | /api/workspaces/default/tasks/t/execute";
    let cancel = format!("/api/jobs/{{id}}/cancel | /api/jobs/{job}/cancel");
    let mut expected = vec![
        format!("rudi | run | POST {execute} | 10.0.0.1 | 200 | job {job}"),
        format!("rudi | run | POST {cancel} | 10.0.0.1 | 200 | done"),
        format!("rita | read | POST {cancel} | 10.0.0.1 | 403 | role_too_small"),
        "ada | admin | POST /api/auth/login | /api/auth/login | 10.0.0.7 | 200 | logged in".to_owned(),
        "ada | admin | POST /api/auth/logout | /api/auth/logout | 10.0.0.1 | 204 | logged out".to_owned(),
    ];
    // Ten guesses are written down; what is not looked at any more is not.
    let guess = "unknown | none | GET /api/jobs | /api/jobs | 10.0.0.8 | 401 | bad_token";
    expected.extend(std::iter::repeat_n(guess.to_owned(), 10));
    assert_eq!(lines, expected);
}
