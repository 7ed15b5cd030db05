//! Every route of the document, what it needs, and that it is closed to who has less.

use std::collections::BTreeSet;

use crate::fixture::{ADMIN, READER, RUNNER, Server, auth};

/// Who may, at the least: `-` anybody. A new route must be added here, on purpose.
const ROUTES: &[(&str, &str, &str)] = &[
    ("-", "get", "/healthz"),
    ("-", "post", "/api/auth/login"),
    ("-", "post", "/api/auth/logout"),
    ("read", "get", "/api/auth/me"),
    ("read", "post", "/api/auth/refresh"),
    ("read", "get", "/metrics"),
    ("read", "get", "/api/workspaces"),
    ("run", "post", "/api/workspaces/{ws}/refresh"),
    ("read", "get", "/api/tasks"),
    ("read", "get", "/api/workspaces/{ws}/tasks"),
    ("read", "get", "/api/workspaces/{ws}/tasks/{task}"),
    ("run", "post", "/api/workspaces/{ws}/tasks/{task}/execute"),
    ("read", "get", "/api/workspaces/{ws}/tasks/{task}/stats"),
    ("read", "get", "/api/jobs"),
    ("read", "get", "/api/jobs/{id}"),
    ("run", "post", "/api/jobs/{id}/cancel"),
    ("run", "post", "/api/jobs/{id}/rerun"),
    ("read", "get", "/api/jobs/{id}/steps/{step}/explain"),
    ("read", "get", "/api/jobs/{id}/logs"),
    ("read", "get", "/api/jobs/{id}/steps/{step}/logs"),
    ("read", "get", "/api/jobs/{id}/logs/map"),
    ("read", "get", "/api/jobs/{id}/logs/search"),
    ("read", "get", "/api/jobs/{id}/logs/download"),
    ("read", "get", "/api/jobs/{id}/logs/events"),
    ("read", "get", "/api/jobs/{id}/logs/stream"),
    ("read", "get", "/api/workers"),
    ("read", "get", "/api/workers/{id}"),
    ("admin", "post", "/api/workers/{id}/drain"),
    ("admin", "post", "/api/workers/{id}/resume"),
    ("read", "get", "/api/stats"),
    ("read", "get", "/api/stats/activity"),
    ("read", "get", "/api/waiting"),
    ("read", "get", "/api/events"),
];

/// Each operation of the document.
fn documented() -> BTreeSet<(String, String)> {
    let document = serde_json::to_value(stroem_server::openapi()).expect("a document");
    let mut found = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for method in operations.as_object().expect("operations").keys() {
            found.insert((method.clone(), path.clone()));
        }
    }
    found
}

fn filled(path: &str) -> String {
    [("{ws}", "nowhere"), ("{task}", "t"), ("{id}", "00000000-0000-0000-0000-000000000000"), ("{step}", "a")]
        .iter()
        .fold(path.to_owned(), |path, (name, value)| path.replace(name, value))
}

#[test]
fn every_route_says_here_what_it_needs() {
    let listed = ROUTES.iter().map(|(_, method, path)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(documented(), listed);
}

#[tokio::test]
async fn every_route_is_closed_without_a_token_and_to_smaller_roles() {
    let server = Server::start(&auth()).await;
    let tokens = [("read", READER), ("run", RUNNER), ("admin", ADMIN)];
    for (needs, method, path) in ROUTES {
        let (method, at) = (method.to_uppercase(), filled(path));
        if *needs == "-" {
            let text = server.ask(&method, &at, "").await.text().await;
            assert!(!text.contains("no_token"), "{at}: {text}");
            continue;
        }
        assert_eq!(server.ask(&method, &at, "").await.refusal().await, (401, "no_token".to_owned()), "{at}");
        let forged = server.ask(&method, &at, "cookie:stroem_session=00ff").await.refusal().await;
        assert_eq!(forged, (401, "session_over".to_owned()), "{at}");
        let enough = tokens.iter().position(|(role, _)| role == needs).expect("a role");
        for (index, (role, token)) in tokens.iter().enumerate() {
            let status = server.ask(&method, &at, token).await.status().as_u16();
            if index < enough {
                assert_eq!(status, 403, "{method} {at} as {role}");
            } else {
                assert!(![401, 403].contains(&status), "{method} {at} as {role}: {status}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_route_is_closed_too_but_the_page_is_open() {
    let server = Server::start(&auth()).await;
    for path in ["/api", "/api/openapi.json", "/api/nothing", "/hooks/x", "/mcp", "/metrics/x"] {
        assert_eq!(server.ask("GET", path, "").await.status().as_u16(), 401, "{path}");
    }
    assert_eq!(server.ask("GET", "/api/openapi.json", READER).await.status().as_u16(), 200);
    for path in ["/", "/jobs", "/jobs/1"] {
        assert_eq!(server.ask("GET", path, "").await.status().as_u16(), 200, "{path}");
    }
    // Workers show a token of their own.
    let answer = server.ask("POST", "/worker/heartbeat", ADMIN).await.refusal().await;
    assert_eq!(answer, (401, "no_session".to_owned()));
}

#[tokio::test]
async fn without_tokens_everybody_may_do_everything() {
    let server = Server::start("").await;
    for (_, method, path) in ROUTES {
        let status = server.ask(&method.to_uppercase(), &filled(path), "").await.status().as_u16();
        assert!(![401, 403].contains(&status), "{method} {path}: {status}");
    }
    let me = server.ask("GET", "/api/auth/me", "").await.json().await;
    assert_eq!(me, serde_json::json!({"name": null, "role": "admin"}));
    let login = server.ask("POST", "/api/auth/login", "").await.refusal().await;
    assert_eq!(login, (409, "no_authentication".to_owned()));
}

#[tokio::test]
async fn numbers_may_be_read_without_a_token_where_it_says_so() {
    let server = Server::start(&format!("{}metrics: {{unauthenticated: true}}\n", auth())).await;
    let answer = server.ask("GET", "/metrics", "").await;
    assert_eq!(answer.status().as_u16(), 200);
    assert!(answer.header(http::header::CONTENT_TYPE).starts_with("application/openmetrics-text"));
    assert_eq!(server.ask("GET", "/api/stats", "").await.status().as_u16(), 401);
}

#[tokio::test]
async fn requests_are_counted_by_their_route_and_not_by_their_path() {
    let server = Server::start(&auth()).await;
    for id in 0..3 {
        server.ask("GET", &format!("/api/jobs/00000000-0000-0000-0000-00000000000{id}"), READER).await;
    }
    server.ask("GET", "/api/stats", "").await;
    let text = server.ask("GET", "/metrics", READER).await.text().await;
    for line in [
        r#"stroem_http_requests_total{method="GET",path="/api/jobs/{id}",status="404"} 3"#,
        r#"stroem_http_requests_total{method="GET",path="/api/stats",status="401"} 1"#,
        r#"stroem_http_request_duration_seconds_count{method="GET",path="/api/jobs/{id}"} 3"#,
        "# TYPE stroem_http_request_duration_seconds histogram",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(text.ends_with("# EOF\n"), "{text}");
}
