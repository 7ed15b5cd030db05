//! Errors of use cases as responses: status, stable code, and each problem on its own.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use stroem_api::{ErrorBody, ErrorDetail};
use stroem_app::AppError;

/// A use case's error on its way out.
#[derive(Debug)]
pub(crate) struct HttpError {
    status: StatusCode,
    body: ErrorBody,
}

impl HttpError {
    pub(crate) fn new(status: StatusCode, code: &str, error: impl Into<String>) -> Self {
        Self { status, body: ErrorBody { error: error.into(), code: code.to_owned(), details: Vec::new() } }
    }

    pub(crate) fn bad_request(code: &str, error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, error)
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}

impl From<AppError> for HttpError {
    fn from(error: AppError) -> Self {
        let (status, code) = classify(&error);
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(%error, "a request failed");
        }
        let mut http = Self::new(status, code, error.to_string());
        http.body.details = details(error);
        http
    }
}

fn classify(error: &AppError) -> (StatusCode, &'static str) {
    match error {
        AppError::NoSuchWorkspace(_) => (StatusCode::NOT_FOUND, "no_such_workspace"),
        AppError::WorkspaceUnreadable { .. } => (StatusCode::CONFLICT, "workspace_unreadable"),
        AppError::NoSuchTask { .. } => (StatusCode::NOT_FOUND, "no_such_task"),
        AppError::TaskBroken { .. } => (StatusCode::CONFLICT, "task_broken"),
        AppError::Unsupported { .. } => (StatusCode::NOT_IMPLEMENTED, "not_yet_supported"),
        AppError::InvalidInput(_) => (StatusCode::BAD_REQUEST, "invalid_input"),
        AppError::NoSuchJob => (StatusCode::NOT_FOUND, "no_such_job"),
        AppError::NoSuchStep(_) => (StatusCode::NOT_FOUND, "no_such_step"),
        AppError::JobEnded(_) => (StatusCode::CONFLICT, "job_ended"),
        AppError::BadCursor(_) => (StatusCode::BAD_REQUEST, "bad_cursor"),
        AppError::NoSuchWorker => (StatusCode::NOT_FOUND, "no_such_worker"),
        AppError::BadWorkerToken => (StatusCode::UNAUTHORIZED, "bad_worker_token"),
        AppError::NoSession => (StatusCode::UNAUTHORIZED, "no_session"),
        AppError::BadDownloadToken => (StatusCode::UNAUTHORIZED, "bad_download_token"),
        AppError::WorkerNameTaken(_) => (StatusCode::CONFLICT, "worker_name_taken"),
        AppError::Protocol { .. } => (StatusCode::BAD_REQUEST, "protocol_not_supported"),
        AppError::NoSuchRevision { .. } => (StatusCode::NOT_FOUND, "no_such_revision"),
        AppError::Store(stroem_app::StoreError::Unavailable(_)) => {
            (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable")
        }
        AppError::OtherKey { .. } | AppError::Disk { .. } | AppError::Store(_) => {
            (StatusCode::INTERNAL_SERVER_ERROR, "internal")
        }
    }
}

fn details(error: AppError) -> Vec<ErrorDetail> {
    match error {
        AppError::InvalidInput(problems) => problems
            .into_iter()
            .map(|problem| ErrorDetail { place: problem.field, message: problem.message })
            .collect(),
        AppError::TaskBroken { diagnostics, .. } => diagnostics
            .into_iter()
            .map(|d| ErrorDetail { place: format!("{}:{}:{}", d.file, d.line, d.column), message: d.message })
            .collect(),
        _ => Vec::new(),
    }
}
