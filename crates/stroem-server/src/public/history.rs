//! What happened lately, and what waits now.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Deserialize;
use stroem_api::public::{Activity, ActivityBucket, TaskRun, TaskStats, WaitingStep};
use stroem_app::App;
use utoipa::IntoParams;

use super::Params;
use crate::error::HttpError;

/// Durations of a task's newest jobs.
#[utoipa::path(
    get, operation_id = "task_stats", path = "/api/workspaces/{ws}/tasks/{task}/stats", tag = "tasks",
    params(("ws" = String, Path, description = "The workspace"), ("task" = String, Path, description = "The task")),
    responses((status = 200, body = TaskStats)),
)]
pub(crate) async fn task(
    State(app): State<App>,
    Path((workspace, task)): Path<(String, String)>,
) -> Result<Json<TaskStats>, HttpError> {
    let history = app.task_history(&workspace, &task).await?;
    let runs = history.runs.into_iter().map(|run| TaskRun {
        job_id: run.job,
        status: run.status,
        created_at: run.created_at,
        queue_ms: run.queue.map(millis),
        duration_ms: run.duration.map(millis),
    });
    Ok(Json(TaskStats {
        total: history.total,
        p50_ms: history.p50.map(millis),
        p95_ms: history.p95.map(millis),
        runs: runs.collect(),
    }))
}

/// Over which time.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActivityParams {
    /// The last so many minutes, 60 when not given, 10080 at most.
    minutes: Option<u32>,
}

const LONGEST_MINUTES: u32 = 7 * 24 * 60;

/// Throughput and queue times of the last hour or another stretch of time, in 60 buckets.
#[utoipa::path(
    get, operation_id = "activity", path = "/api/stats/activity", tag = "server", params(ActivityParams),
    responses((status = 200, body = Activity)),
)]
pub(crate) async fn activity(
    State(app): State<App>,
    Params(params): Params<ActivityParams>,
) -> Result<Json<Activity>, HttpError> {
    let minutes = params.minutes.unwrap_or(60).clamp(1, LONGEST_MINUTES);
    let activity = app.activity(Duration::from_secs(60 * u64::from(minutes))).await?;
    let buckets = activity.buckets.into_iter().map(|bucket| ActivityBucket {
        at: bucket.at,
        completed: bucket.completed,
        failed: bucket.failed,
        other: bucket.other,
        queue_p50_ms: bucket.queue_p50.map(millis),
        queue_p95_ms: bucket.queue_p95.map(millis),
    });
    Ok(Json(Activity { buckets: buckets.collect(), cut: activity.cut }))
}

/// Ready steps that no worker has claimed, the oldest first, 100 at most, with what they wait for.
#[utoipa::path(get, operation_id = "waiting", path = "/api/waiting", tag = "server", responses((status = 200, body = Vec<WaitingStep>)))]
pub(crate) async fn waiting(State(app): State<App>) -> Result<Json<Vec<WaitingStep>>, HttpError> {
    let waiting = app.waiting().await?.into_iter().map(|step| WaitingStep {
        job_id: step.job,
        workspace: step.workspace.to_string(),
        task_name: step.task.to_string(),
        step_name: step.step,
        required_tags: step.required_tags.iter().map(ToString::to_string).collect(),
        ready_at: step.ready_at,
        summary: step.summary,
        has_worker: step.has_worker,
    });
    Ok(Json(waiting.collect()))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
