//! Jobs.

use std::time::Duration;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
};
use serde::Deserialize;
use stroem_api::{
    ErrorBody,
    public::{CancelResponse, ExecuteResponse, Explanation, JobDetail, JobList, RerunRequest},
};
use stroem_app::{App, JobFilter};
use stroem_core::{JobStatus, limits};
use utoipa::IntoParams;

use super::{Made, Params, job_id, made, read_body};
use crate::{convert, error::HttpError};

/// Which jobs to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListParams {
    /// Jobs of this workspace.
    workspace: Option<String>,
    /// Jobs of this task.
    task_name: Option<String>,
    /// Jobs in this state.
    status: Option<String>,
    /// Jobs from this kind of source.
    source_type: Option<String>,
    /// Jobs whose id, task or source contains this text.
    search: Option<String>,
    /// How many, 50 when not given, 500 at most.
    limit: Option<u32>,
    /// How many to pass over.
    offset: Option<u32>,
}

/// Jobs, newest first.
#[utoipa::path(
    get, operation_id = "list_jobs", path = "/api/jobs", tag = "jobs", params(ListParams),
    responses((status = 200, body = JobList), (status = 400, body = ErrorBody)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    Params(params): Params<ListParams>,
) -> Result<Json<JobList>, HttpError> {
    let status = params.status.map(|text| text.parse::<JobStatus>()).transpose();
    let status = status.map_err(|error| {
        let all = JobStatus::ALL.iter().map(|status| status.as_str()).collect::<Vec<_>>().join(", ");
        HttpError::bad_request("bad_query", format!("{error}; jobs are {all}"))
    })?;
    let filter = JobFilter {
        workspace: params.workspace,
        task: params.task_name,
        status,
        source_type: params.source_type,
        search: params.search,
        limit: params.limit.unwrap_or(50).min(limits::JOB_PAGE),
        offset: params.offset.unwrap_or(0),
    };
    let page = app.jobs(&filter).await?;
    let items = page.items.iter().map(|summary| convert::job_item(&summary.job)).collect();
    Ok(Json(JobList { items, total: page.total }))
}

/// Whether to wait for a change.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShowParams {
    /// Answer when the job's version is above this one or the job has ended.
    wait_version: Option<i64>,
    /// Answer after this many milliseconds at the latest; 30000 at most.
    wait_ms: Option<u64>,
}

const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// One job with its steps. With `wait_version` the answer comes when the job has changed.
#[utoipa::path(
    get, operation_id = "show_job", path = "/api/jobs/{id}", tag = "jobs", params(("id" = String, Path, description = "The job"), ShowParams),
    responses((status = 200, body = JobDetail), (status = 404, body = ErrorBody)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    Params(params): Params<ShowParams>,
) -> Result<Json<JobDetail>, HttpError> {
    let job = job_id(&id)?;
    if let Some(version) = params.wait_version {
        let wait = params.wait_ms.map_or(LONGEST_WAIT, Duration::from_millis).min(LONGEST_WAIT);
        wait_for_change(&app, job, version, wait).await?;
    }
    Ok(Json(convert::job(&app.job(job).await?)))
}

async fn wait_for_change(
    app: &App,
    job: stroem_core::JobId,
    version: i64,
    wait: Duration,
) -> Result<(), HttpError> {
    let mut watch = app.watch_job(job);
    let deadline = tokio::time::sleep(wait);
    tokio::pin!(deadline);
    loop {
        let (row, _) = app.job_row(job).await?;
        if row.version > version || row.status.is_terminal() {
            return Ok(());
        }
        tokio::select! {
            () = watch.changed() => {}
            () = &mut deadline => return Ok(()),
            () = app.stopping().cancelled() => return Ok(()),
        }
    }
}

/// Cancels a job: what waits ends at once, what runs is killed.
#[utoipa::path(
    post, operation_id = "cancel_job", path = "/api/jobs/{id}/cancel", tag = "jobs", params(("id" = String, Path, description = "The job")),
    responses(
        (status = 200, body = CancelResponse),
        (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "It has ended"),
    ),
)]
pub(crate) async fn cancel(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<CancelResponse>, HttpError> {
    app.cancel(job_id(&id)?).await?;
    Ok(Json(CancelResponse { status: JobStatus::Cancelled.to_string() }))
}

/// Runs a job's task again at the workspace's revision of now, with its input or another one.
#[utoipa::path(
    post, path = "/api/jobs/{id}/rerun", tag = "jobs", params(("id" = String, Path, description = "The job")),
    request_body = RerunRequest,
    responses(
        (status = 200, body = ExecuteResponse),
        (status = 400, body = ErrorBody, description = "Every problem of the input"),
        (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "The task's files have errors"),
    ),
)]
pub(crate) async fn rerun(
    State(app): State<App>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Made, HttpError> {
    let request: RerunRequest = read_body(&body, "`{}` or `{\"input\": {...}}`")?;
    let job_id = app.rerun(job_id(&id)?, request.input.as_ref()).await?;
    Ok(made(job_id))
}

/// Why a step is where it is: what it waits for, which worker lacks which tag, how many are ahead.
#[utoipa::path(
    get, operation_id = "explain_step", path = "/api/jobs/{id}/steps/{step}/explain", tag = "jobs",
    params(("id" = String, Path, description = "The job"), ("step" = String, Path, description = "The step")),
    responses((status = 200, body = Explanation), (status = 404, body = ErrorBody)),
)]
pub(crate) async fn explain(
    State(app): State<App>,
    Path((id, step)): Path<(String, String)>,
) -> Result<Json<Explanation>, HttpError> {
    Ok(Json(convert::explanation(app.explain(job_id(&id)?, &step).await?)))
}
