//! Workers.

use axum::{
    Json,
    extract::{Path, State},
};
use stroem_api::{ErrorBody, public::WorkerInfo};
use stroem_app::{App, AppError, WorkerView};

use crate::{convert, error::HttpError};

/// All workers, by name.
#[utoipa::path(get, operation_id = "list_workers", path = "/api/workers", tag = "workers", responses((status = 200, body = Vec<WorkerInfo>)))]
pub(crate) async fn list(State(app): State<App>) -> Result<Json<Vec<WorkerInfo>>, HttpError> {
    let mut workers = Vec::new();
    for view in &app.workers().await? {
        workers.push(described(&app, view).await?);
    }
    Ok(Json(workers))
}

/// One worker, by id or name.
#[utoipa::path(
    get, operation_id = "show_worker", path = "/api/workers/{id}", tag = "workers", params(("id" = String, Path, description = "The worker's id or name")),
    responses((status = 200, body = WorkerInfo), (status = 404, body = ErrorBody)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<WorkerInfo>, HttpError> {
    let workers = app.workers().await?;
    let found = workers.iter().find(|worker| worker.is_called(&id));
    Ok(Json(described(&app, found.ok_or(AppError::NoSuchWorker)?).await?))
}

/// A worker with the names of what it runs.
async fn described(app: &App, view: &WorkerView) -> Result<WorkerInfo, HttpError> {
    let mut info = convert::worker(view);
    for (running, lease) in info.running.iter_mut().zip(&view.leases) {
        if let Some((task, step)) = app.leased_step(lease.lease).await? {
            (running.task_name, running.step_name) = (Some(task), Some(step));
        }
    }
    Ok(info)
}

/// Lets a worker take no more steps; what it runs goes on. Until it is resumed or registers anew.
#[utoipa::path(
    post, operation_id = "drain_worker", path = "/api/workers/{id}/drain", tag = "workers",
    params(("id" = String, Path, description = "The worker's id or name")),
    responses((status = 200, body = WorkerInfo), (status = 404, body = ErrorBody)),
)]
pub(crate) async fn drain(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<WorkerInfo>, HttpError> {
    Ok(Json(described(&app, &app.drain(&id, true).await?).await?))
}

/// Lets a worker take steps again.
#[utoipa::path(
    post, operation_id = "resume_worker", path = "/api/workers/{id}/resume", tag = "workers",
    params(("id" = String, Path, description = "The worker's id or name")),
    responses((status = 200, body = WorkerInfo), (status = 404, body = ErrorBody)),
)]
pub(crate) async fn resume(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<WorkerInfo>, HttpError> {
    Ok(Json(described(&app, &app.drain(&id, false).await?).await?))
}
