//! A server in a throw-away directory that is asked without a socket.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use axum::{Router, body::Body, extract::ConnectInfo};
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;
use stroem_app::{App, AppOptions};
use stroem_config::Source;
use stroem_core::{Secret, WorkspaceName};
use stroem_server::{Access, ServerConfig, guarded_router};
use stroem_store_sqlite::SqliteStore;
use tower::ServiceExt;

pub(crate) const READER: &str = "the-token-of-the-reader";
pub(crate) const RUNNER: &str = "the-token-of-the-runner";
pub(crate) const ADMIN: &str = "the-token-of-the-admin";

const TASKS: &str = "tasks:\n  t:\n    flow:\n      a: {type: script, script: 'true'}\n";

pub(crate) fn auth() -> String {
    format!(
        "auth:\n  tokens:\n    rita: {{token: {READER}, role: read}}\n    rudi: {{token: {RUNNER}, role: run}}\n    \
         ada: {{token: {ADMIN}, role: admin}}\n"
    )
}

pub(crate) struct Server {
    pub(crate) app: App,
    pub(crate) router: Router,
    _dir: tempfile::TempDir,
}

/// Reads a configuration.
pub(crate) fn config(more: &str) -> Result<ServerConfig, String> {
    let text = format!("worker_token: t\n{more}");
    ServerConfig::load(Source { file: "server-config.yaml", text: &text, environment: &[] })
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

impl Server {
    pub(crate) async fn start(more: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let folder = dir.path().join("workspace");
        std::fs::create_dir_all(folder.join(".workflows")).expect("made");
        std::fs::write(folder.join(".workflows/main.yaml"), TASKS).expect("written");
        let workspaces = BTreeMap::from([(WorkspaceName::new("default").expect("a name"), folder)]);
        let data = dir.path().join("data");
        let options = AppOptions::new(Secret::new("t".to_owned()), data.clone(), workspaces);
        let store = Arc::new(SqliteStore::open(&data).expect("a store"));
        let app = App::start(options, store).await.expect("it starts");
        let config = config(more).expect("a configuration");
        let router = guarded_router(app.clone(), Access::new(&config.auth, config.open_metrics));
        Self { app, router, _dir: dir }
    }

    /// Asks as `credential`: nothing, a token, or `cookie:` and a cookie.
    pub(crate) async fn ask(&self, method: &str, path: &str, credential: &str) -> Answer {
        self.ask_from([10, 0, 0, 1], method, path, credential, "").await
    }

    pub(crate) async fn ask_from(
        &self,
        from: [u8; 4],
        method: &str,
        path: &str,
        credential: &str,
        body: &str,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        request = match credential.strip_prefix("cookie:") {
            _ if credential.is_empty() => request,
            Some(cookie) => request.header(header::COOKIE, format!("theme=dark; {cookie}")),
            None => request.header(header::AUTHORIZATION, format!("Bearer {credential}")),
        };
        let request = request.extension(ConnectInfo(SocketAddr::from((from, 1))));
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("it cannot fail");
        Answer { response }
    }
}

pub(crate) struct Answer {
    response: Response<Body>,
}

impl Answer {
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(crate) fn header(&self, name: header::HeaderName) -> &str {
        self.response.headers().get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// The pair of the cookie that is set.
    pub(crate) fn cookie(&self) -> String {
        let set = self.header(header::SET_COOKIE);
        format!("cookie:{}", set.split(';').next().expect("a pair"))
    }

    pub(crate) async fn text(self) -> String {
        let bytes = self.response.into_body().collect().await.expect("a body").to_bytes();
        String::from_utf8(bytes.to_vec()).expect("text")
    }

    pub(crate) async fn json(self) -> Value {
        serde_json::from_str(&self.text().await).expect("JSON")
    }

    /// The status and, of a refusal, its code.
    pub(crate) async fn refusal(self) -> (u16, String) {
        let status = self.status().as_u16();
        let body = self.json().await;
        (status, body["code"].as_str().unwrap_or_default().to_owned())
    }
}
