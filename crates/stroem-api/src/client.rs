//! A client of the public API.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use stroem_core::{JobId, Secret};

use crate::{
    ApiError, ResponseBody, Transport, collect,
    control_plane::refused,
    public::{
        CancelResponse, ExecuteRequest, ExecuteResponse, Explanation, Health, JobDetail, JobList, LogPage,
        RerunRequest, Stats, TaskDetail, TaskListItem, WorkerInfo, WorkspaceInfo,
    },
};

const SEGMENT: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'/').add(b'?').add(b'<').add(b'>');
const QUERY: &AsciiSet = &SEGMENT.add(b'&').add(b'+').add(b'=');

/// Encodes a name for use as one segment of a path.
pub(crate) fn encode_segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// A client of the public API. Cheap to clone.
#[derive(Clone)]
pub struct ApiClient {
    transport: Arc<dyn Transport>,
    token: Option<Secret>,
}

impl ApiClient {
    /// Speaks over this transport, with a token when the server asks for one.
    pub fn new(transport: Arc<dyn Transport>, token: Option<Secret>) -> Self {
        Self { transport, token }
    }

    /// The server's address, for messages.
    pub fn server(&self) -> &str {
        self.transport.server()
    }

    /// `GET /healthz`
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn health(&self) -> Result<Health, ApiError> {
        self.get("/healthz").await
    }

    /// `GET /api/workspaces`
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn workspaces(&self) -> Result<Vec<WorkspaceInfo>, ApiError> {
        self.get("/api/workspaces").await
    }

    /// `GET /api/tasks`
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn tasks(&self) -> Result<Vec<TaskListItem>, ApiError> {
        self.get("/api/tasks").await
    }

    /// `GET /api/workspaces/{ws}/tasks/{task}`
    ///
    /// # Errors
    /// [`ApiError`]; `no_such_workspace`, `no_such_task`.
    pub async fn task(&self, workspace: &str, task: &str) -> Result<TaskDetail, ApiError> {
        let (workspace, task) = (encode_segment(workspace), encode_segment(task));
        self.get(&format!("/api/workspaces/{workspace}/tasks/{task}")).await
    }

    /// `POST /api/workspaces/{ws}/tasks/{task}/execute`
    ///
    /// # Errors
    /// [`ApiError`]; `invalid_input` lists every problem in its details.
    pub async fn execute(
        &self,
        workspace: &str,
        task: &str,
        input: Map<String, Value>,
    ) -> Result<ExecuteResponse, ApiError> {
        let (workspace, task) = (encode_segment(workspace), encode_segment(task));
        let path = format!("/api/workspaces/{workspace}/tasks/{task}/execute");
        let body = serde_json::to_vec(&ExecuteRequest { input }).expect("JSON values are JSON");
        self.call(Method::POST, &path, body.into()).await
    }

    /// `GET /api/jobs` with the given query parameters.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn jobs(&self, query: &[(&str, &str)]) -> Result<JobList, ApiError> {
        self.get(&with_query("/api/jobs", query)).await
    }

    /// `GET /api/jobs/{id}`
    ///
    /// # Errors
    /// [`ApiError`]; `no_such_job`.
    pub async fn job(&self, job: JobId) -> Result<JobDetail, ApiError> {
        self.get(&format!("/api/jobs/{job}")).await
    }

    /// `GET /api/jobs/{id}?wait_version=..&wait_ms=..`: answers when the job's version is above the given one, the job
    /// has ended, or the time is over.
    ///
    /// # Errors
    /// [`ApiError`]; `no_such_job`.
    pub async fn job_after(&self, job: JobId, version: i64, wait_ms: u64) -> Result<JobDetail, ApiError> {
        self.get(&format!("/api/jobs/{job}?wait_version={version}&wait_ms={wait_ms}")).await
    }

    /// `POST /api/jobs/{id}/cancel`
    ///
    /// # Errors
    /// [`ApiError`]; `no_such_job`, `job_ended`.
    pub async fn cancel(&self, job: JobId) -> Result<CancelResponse, ApiError> {
        self.call(Method::POST, &format!("/api/jobs/{job}/cancel"), Bytes::new()).await
    }

    /// `POST /api/jobs/{id}/rerun`
    ///
    /// # Errors
    /// [`ApiError`]; `no_such_job`, and those of [`Self::execute`].
    pub async fn rerun(
        &self,
        job: JobId,
        input: Option<Map<String, Value>>,
    ) -> Result<ExecuteResponse, ApiError> {
        let body = serde_json::to_vec(&RerunRequest { input }).expect("JSON values are JSON");
        self.call(Method::POST, &format!("/api/jobs/{job}/rerun"), body.into()).await
    }

    /// `POST /api/workers/{id}/drain` or `.../resume`, by the worker's id or name.
    ///
    /// # Errors
    /// [`ApiError`]; `no_such_worker`.
    pub async fn drain(&self, worker: &str, draining: bool) -> Result<WorkerInfo, ApiError> {
        let what = if draining { "drain" } else { "resume" };
        let path = format!("/api/workers/{}/{what}", encode_segment(worker));
        self.call(Method::POST, &path, Bytes::new()).await
    }

    /// `GET /api/jobs/{id}/steps/{step}/explain`
    ///
    /// # Errors
    /// [`ApiError`]; `no_such_job`, `no_such_step`.
    pub async fn explain(&self, job: JobId, step: &str) -> Result<Explanation, ApiError> {
        self.get(&format!("/api/jobs/{job}/steps/{}/explain", encode_segment(step))).await
    }

    /// `GET /api/jobs/{id}/logs` or, with a step, `GET /api/jobs/{id}/steps/{step}/logs`.
    ///
    /// # Errors
    /// [`ApiError`]; `no_such_job`, `no_such_step`, `bad_cursor`.
    pub async fn logs(
        &self,
        job: JobId,
        step: Option<&str>,
        cursor: Option<&str>,
    ) -> Result<LogPage, ApiError> {
        let path = match step {
            Some(step) => format!("/api/jobs/{job}/steps/{}/logs", encode_segment(step)),
            None => format!("/api/jobs/{job}/logs"),
        };
        let query: Vec<_> = cursor.map(|cursor| ("cursor", cursor)).into_iter().collect();
        self.get(&with_query(&path, &query)).await
    }

    /// `GET /api/jobs/{id}/logs/events`: the live log as server-sent events; see the API's reference.
    ///
    /// # Errors
    /// [`ApiError`]; `no_such_job`.
    pub async fn log_events(
        &self,
        job: JobId,
        last_event_id: Option<&str>,
    ) -> Result<ResponseBody, ApiError> {
        let mut request = self.request(Method::GET, &format!("/api/jobs/{job}/logs/events"), Bytes::new());
        if let Some(id) = last_event_id.and_then(|id| id.parse().ok()) {
            request.headers_mut().insert("last-event-id", id);
        }
        let response = self.transport.send(request).await?;
        if response.status().is_success() {
            return Ok(response.into_body());
        }
        let status = response.status().as_u16();
        Err(refused(status, &collect(response.into_body()).await?))
    }

    /// `GET /api/workers`
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn workers(&self) -> Result<Vec<WorkerInfo>, ApiError> {
        self.get("/api/workers").await
    }

    /// `GET /api/stats`
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn stats(&self) -> Result<Stats, ApiError> {
        self.get("/api/stats").await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        self.call(Method::GET, path, Bytes::new()).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<T, ApiError> {
        let response = self.transport.send(self.request(method, path, body)).await?;
        let status = response.status();
        let body = collect(response.into_body()).await?;
        if !status.is_success() {
            return Err(refused(status.as_u16(), &body));
        }
        serde_json::from_slice(&body)
            .map_err(|error| ApiError::Unreadable { path: path.to_owned(), message: error.to_string() })
    }

    fn request(&self, method: Method, path: &str, body: Bytes) -> Request<Bytes> {
        let mut request =
            Request::builder().method(method).uri(path).header(header::ACCEPT, "application/json");
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        request
            .body(body)
            .expect("paths are made of encoded names and tokens are checked to be header text when read")
    }
}

fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        query.iter().map(|(key, value)| format!("{key}={}", utf8_percent_encode(value, QUERY))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}
