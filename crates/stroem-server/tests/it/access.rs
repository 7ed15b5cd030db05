//! Tokens, sessions, and what happens to who guesses.

use http::header;
use serde_json::json;
use stroem_server::{Access, guarded_router};

use crate::fixture::{ADMIN, READER, RUNNER, Server, auth, config};

async fn log_in(server: &Server, token: &str) -> String {
    let body = json!({ "token": token }).to_string();
    let answer = server.ask_from([10, 0, 0, 1], "POST", "/api/auth/login", "", &body).await;
    assert_eq!(answer.status().as_u16(), 200);
    answer.cookie()
}

#[tokio::test]
async fn a_token_gives_a_session_that_scripts_and_other_sites_cannot_use() {
    let server = Server::start(&auth()).await;
    let body = json!({ "token": RUNNER }).to_string();
    let answer = server.ask_from([10, 0, 0, 1], "POST", "/api/auth/login", "", &body).await;
    let set = answer.header(header::SET_COOKIE).to_owned();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(set.split("; ").any(|part| part == attribute), "{set}");
    }
    assert!(!set.contains(RUNNER) && !set.contains("Secure"), "{set}");
    let cookie = answer.cookie();
    assert_eq!(answer.json().await, json!({ "name": "rudi", "role": "run" }));

    let me = server.ask("GET", "/api/auth/me", &cookie).await.json().await;
    assert_eq!(me, json!({ "name": "rudi", "role": "run" }));
    assert_eq!(server.ask("POST", "/api/workers/w/drain", &cookie).await.status().as_u16(), 403);
    let renewed = server.ask("POST", "/api/auth/refresh", &cookie).await;
    assert!(renewed.cookie().len() > 40 && renewed.cookie() != cookie);

    let out = server.ask("POST", "/api/auth/logout", &cookie).await;
    assert_eq!(out.status().as_u16(), 204);
    assert!(out.header(header::SET_COOKIE).starts_with("stroem_session=; Path=/; Max-Age=0;"));
}

#[tokio::test]
async fn a_session_outlives_the_server_and_ends_with_its_token() {
    let mut server = Server::start(&auth()).await;
    let cookie = log_in(&server, ADMIN).await;
    let restart = |server: &mut Server, text: &str| {
        let config = config(text).expect("a configuration");
        server.router = guarded_router(server.app.clone(), Access::new(&config.auth, false));
    };
    restart(&mut server, &auth());
    assert_eq!(server.ask("GET", "/api/stats", &cookie).await.status().as_u16(), 200);
    // The role is that of the configuration, not that of the login.
    restart(&mut server, &auth().replace("role: admin", "role: read"));
    assert_eq!(server.ask("POST", "/api/workers/w/drain", &cookie).await.status().as_u16(), 403);
    restart(&mut server, &auth().replace(ADMIN, "another-token-of-ada"));
    let refused = server.ask("GET", "/api/stats", &cookie).await.refusal().await;
    assert_eq!(refused, (401, "session_over".to_owned()));
}

#[tokio::test]
async fn who_guesses_has_to_wait_and_others_have_not() {
    let server = Server::start(&auth()).await;
    let cookie = log_in(&server, READER).await;
    for guess in 0..10 {
        let token = format!("guess-number-{guess}");
        let refused = if guess % 2 == 0 {
            server.ask("GET", "/api/stats", &token).await
        } else {
            let body = json!({ "token": token }).to_string();
            server.ask_from([10, 0, 0, 1], "POST", "/api/auth/login", "", &body).await
        };
        assert_eq!(refused.refusal().await, (401, "bad_token".to_owned()), "{guess}");
    }
    // Even the right one is not looked at, or guessing would go on.
    let refused = server.ask("GET", "/api/stats", READER).await;
    let wait: u64 = refused.header(header::RETRY_AFTER).parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(refused.refusal().await, (429, "too_many_attempts".to_owned()));
    let body = json!({ "token": READER }).to_string();
    let refused = server.ask_from([10, 0, 0, 1], "POST", "/api/auth/login", "", &body).await;
    assert_eq!(refused.status().as_u16(), 429);
    // A session cannot be guessed, and other addresses did nothing.
    assert_eq!(server.ask("GET", "/api/stats", &cookie).await.status().as_u16(), 200);
    let other = server.ask_from([10, 0, 0, 2], "GET", "/api/stats", READER, "").await;
    assert_eq!(other.status().as_u16(), 200);
}

#[tokio::test]
async fn a_hash_in_the_configuration_does_for_the_token() {
    // printf %s the-token-of-the-reader | sha256sum
    let hash = "aaef3da914a97deb9cb70dc6c2e6186da57abaf6769bb94e45f29eedbafb8621";
    let server = Server::start(&format!("auth: {{tokens: {{rita: {{sha256: {hash}, role: read}}}}}}")).await;
    assert_eq!(server.ask("GET", "/api/stats", READER).await.status().as_u16(), 200);
    assert_eq!(server.ask("GET", "/api/stats", hash).await.status().as_u16(), 401);
}

#[tokio::test]
async fn a_job_says_who_ran_it() {
    let server = Server::start(&auth()).await;
    let cookie = log_in(&server, ADMIN).await;
    for (credential, source_type, source_id) in [(RUNNER, "api", "rudi"), (&cookie, "user", "ada")] {
        let path = "/api/workspaces/default/tasks/t/execute";
        let made = server.ask("POST", path, credential).await.json().await;
        let path = format!("/api/jobs/{}", made["job_id"].as_str().expect("an id"));
        let job = server.ask("GET", &path, READER).await.json().await;
        assert_eq!(job["source_type"], source_type);
        assert_eq!(job["source_id"], source_id);
    }
}
