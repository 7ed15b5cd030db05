//! Workers.

use axum::{
    Json,
    extract::{Path, State},
};
use stroem_api::{ErrorBody, public::WorkerInfo};
use stroem_app::{App, AppError};

use crate::{convert, error::HttpError};

/// All workers, by name.
#[utoipa::path(get, path = "/api/workers", tag = "workers", responses((status = 200, body = Vec<WorkerInfo>)))]
pub(crate) async fn list(State(app): State<App>) -> Result<Json<Vec<WorkerInfo>>, HttpError> {
    Ok(Json(app.workers().await?.iter().map(convert::worker).collect()))
}

/// One worker, by id or name.
#[utoipa::path(
    get, path = "/api/workers/{id}", tag = "workers", params(("id" = String, Path, description = "The worker's id or name")),
    responses((status = 200, body = WorkerInfo), (status = 404, body = ErrorBody)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<WorkerInfo>, HttpError> {
    let workers = app.workers().await?;
    let found = workers.iter().find(|worker| worker.is_called(&id));
    Ok(Json(convert::worker(found.ok_or(AppError::NoSuchWorker)?)))
}

/// Lets a worker take no more steps; what it runs goes on. Until it is resumed or registers anew.
#[utoipa::path(
    post, path = "/api/workers/{id}/drain", tag = "workers",
    params(("id" = String, Path, description = "The worker's id or name")),
    responses((status = 200, body = WorkerInfo), (status = 404, body = ErrorBody)),
)]
pub(crate) async fn drain(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<WorkerInfo>, HttpError> {
    Ok(Json(convert::worker(&app.drain(&id, true).await?)))
}

/// Lets a worker take steps again.
#[utoipa::path(
    post, path = "/api/workers/{id}/resume", tag = "workers",
    params(("id" = String, Path, description = "The worker's id or name")),
    responses((status = 200, body = WorkerInfo), (status = 404, body = ErrorBody)),
)]
pub(crate) async fn resume(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<WorkerInfo>, HttpError> {
    Ok(Json(convert::worker(&app.drain(&id, false).await?)))
}
