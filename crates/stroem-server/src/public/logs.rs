//! Logs in pages.

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Deserialize;
use stroem_api::{ErrorBody, public::LogPage};
use stroem_app::{App, AppError, Cursor, LogQuery};
use utoipa::IntoParams;

use super::{Params, job_id};
use crate::error::HttpError;

/// Which part of a log.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageParams {
    /// Where to begin: `next_cursor` of an earlier answer; the beginning when not given.
    cursor: Option<String>,
    /// About how many bytes of text, 1 MiB when not given, 8 MiB at most.
    limit_bytes: Option<u64>,
}

const DEFAULT_BYTES: u64 = 1 << 20;
const MOST_BYTES: u64 = 8 << 20;

/// A part of a job's log, all steps in the order of arrival.
#[utoipa::path(
    get, operation_id = "job_log", path = "/api/jobs/{id}/logs", tag = "logs", params(("id" = String, Path, description = "The job"), PageParams),
    responses((status = 200, body = LogPage), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub(crate) async fn job(
    State(app): State<App>,
    Path(id): Path<String>,
    Params(params): Params<PageParams>,
) -> Result<Json<LogPage>, HttpError> {
    page(&app, &id, None, &params).await
}

/// A part of a step's log.
#[utoipa::path(
    get, operation_id = "step_log", path = "/api/jobs/{id}/steps/{step}/logs", tag = "logs",
    params(("id" = String, Path, description = "The job"), ("step" = String, Path, description = "The step"), PageParams),
    responses((status = 200, body = LogPage), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub(crate) async fn step(
    State(app): State<App>,
    Path((id, step)): Path<(String, String)>,
    Params(params): Params<PageParams>,
) -> Result<Json<LogPage>, HttpError> {
    page(&app, &id, Some(step), &params).await
}

async fn page(
    app: &App,
    id: &str,
    step: Option<String>,
    params: &PageParams,
) -> Result<Json<LogPage>, HttpError> {
    let job = job_id(id)?;
    let cursor = cursor(params.cursor.as_deref())?;
    let step = match step {
        None => None,
        Some(step) => {
            let (_, plan) = app.job_row(job).await?;
            Some(plan.step_index(&step).ok_or(AppError::NoSuchStep(step))?)
        }
    };
    let max_bytes = params.limit_bytes.unwrap_or(DEFAULT_BYTES).clamp(1, MOST_BYTES);
    let page = app.logs(LogQuery { job, step, cursor, max_bytes }).await?;
    Ok(Json(LogPage {
        logs: page.to_jsonl(),
        next_cursor: page.next.to_string(),
        complete: page.is_complete(),
    }))
}

/// A cursor from a query or a header.
pub(crate) fn cursor(text: Option<&str>) -> Result<Cursor, HttpError> {
    match text {
        None | Some("") => Ok(Cursor::START),
        Some(text) => text.parse().map_err(|_| AppError::BadCursor(text.to_owned()).into()),
    }
}
