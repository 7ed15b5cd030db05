//! The worker's view of the server.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, header};
use serde::{Serialize, de::DeserializeOwned};
use stroem_core::{Revision, Secret, WorkspaceName};

use crate::{
    ApiError, ErrorBody, ResponseBody, Transport, collect,
    worker::{
        HeartbeatRequest, HeartbeatResponse, LeftoversRequest, LeftoversResponse, PollRequest, PollResponse,
        RegisterRequest, RegisterResponse, Report, ReportResponse,
    },
};

/// A client of the worker protocol. Cheap to clone.
#[derive(Clone)]
pub struct ControlPlane {
    transport: Arc<dyn Transport>,
}

impl ControlPlane {
    /// Speaks over this transport.
    pub fn new(transport: Arc<dyn Transport>) -> Self {
        Self { transport }
    }

    /// The server's address, for messages.
    pub fn server(&self) -> &str {
        self.transport.server()
    }

    /// Introduces the worker.
    ///
    /// # Errors
    /// [`ApiError`]; `worker_name_taken` when another instance of that name is alive.
    pub async fn register(
        &self,
        worker_token: &Secret,
        request: &RegisterRequest,
    ) -> Result<RegisterResponse, ApiError> {
        self.post("/worker/register", worker_token, json(request), Duration::from_secs(30)).await
    }

    /// Waits for claims and kills.
    ///
    /// # Errors
    /// [`ApiError`]; `no_session` when the worker must register again.
    pub async fn poll(&self, session: &Secret, request: &PollRequest) -> Result<PollResponse, ApiError> {
        let margin = Duration::from_secs(15);
        let limit = Duration::from_millis(request.wait_ms) + margin;
        self.post("/worker/poll", session, json(request), limit).await
    }

    /// Delivers log chunks and what happened to attempts.
    ///
    /// # Errors
    /// [`ApiError`]; nothing is known of the report's fate then, so it is sent again.
    pub async fn report(&self, session: &Secret, report: &Report) -> Result<ReportResponse, ApiError> {
        self.post("/worker/report", session, report.encode(), Duration::from_secs(60)).await
    }

    /// Renews all leases.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn heartbeat(
        &self,
        session: &Secret,
        request: &HeartbeatRequest,
    ) -> Result<HeartbeatResponse, ApiError> {
        self.post("/worker/heartbeat", session, json(request), Duration::from_secs(10)).await
    }

    /// Asks which things that were found on a platform may be removed.
    ///
    /// # Errors
    /// [`ApiError`]; then nothing may be.
    pub async fn leftovers(
        &self,
        session: &Secret,
        request: &LeftoversRequest,
    ) -> Result<LeftoversResponse, ApiError> {
        self.post("/worker/leftovers", session, json(request), Duration::from_secs(30)).await
    }

    /// Says goodbye: the worker holds nothing and ends.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn leave(&self, session: &Secret) -> Result<HeartbeatResponse, ApiError> {
        self.post("/worker/leave", session, Bytes::from_static(b"{}"), Duration::from_secs(10)).await
    }

    /// A revision's files as `tar.zst`, as it arrives.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn workspace(
        &self,
        session: &Secret,
        workspace: &WorkspaceName,
        revision: &Revision,
    ) -> Result<ResponseBody, ApiError> {
        let name = crate::client::encode_segment(workspace.as_str());
        let path = format!("/worker/workspaces/{name}/{revision}");
        let request = build(Method::GET, &path, session, Bytes::new());
        let response = self.transport.send(request).await?;
        if response.status().is_success() {
            return Ok(response.into_body());
        }
        let status = response.status().as_u16();
        Err(refused(status, &collect(response.into_body()).await?))
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        token: &Secret,
        body: Bytes,
        limit: Duration,
    ) -> Result<T, ApiError> {
        let call = async {
            let response = self.transport.send(build(Method::POST, path, token, body)).await?;
            let status = response.status();
            let body = collect(response.into_body()).await?;
            if !status.is_success() {
                return Err(refused(status.as_u16(), &body));
            }
            serde_json::from_slice(&body)
                .map_err(|error| ApiError::Unreadable { path: path.to_owned(), message: error.to_string() })
        };
        tokio::time::timeout(limit, call).await.unwrap_or_else(|_| {
            let message = format!("no answer to {path} within {} s", limit.as_secs());
            Err(ApiError::Transport(crate::TransportError { server: self.server().to_owned(), message }))
        })
    }
}

fn json<T: Serialize>(value: &T) -> Bytes {
    serde_json::to_vec(value).expect("wire types are maps, lists, numbers and text").into()
}

fn build(method: Method, path: &str, token: &Secret, body: Bytes) -> Request<Bytes> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {}", token.expose()))
        .header(header::CONTENT_TYPE, "application/json")
        .body(body)
        .expect("paths are made of encoded names and tokens are checked to be header text when they are read")
}

/// Reads an error's body, or makes one of a body that is none.
pub(crate) fn refused(status: u16, body: &[u8]) -> ApiError {
    let body = serde_json::from_slice(body).unwrap_or_else(|_| ErrorBody {
        error: format!("status {status}: {}", String::from_utf8_lossy(&body[..body.len().min(200)])),
        code: "unexpected_answer".to_owned(),
        details: Vec::new(),
    });
    ApiError::Refused { status, body }
}
