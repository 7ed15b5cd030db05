//! Tasks, and their execution.

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, State},
};
use stroem_api::{
    ErrorBody,
    public::{ExecuteRequest, ExecuteResponse, TaskDetail, TaskListItem},
};
use stroem_app::{App, AppError, Source};

use super::{Made, made, read_body};
use crate::{
    auth::{Identity, Way},
    convert,
    error::HttpError,
};

/// All tasks of all workspaces that can be read.
#[utoipa::path(get, operation_id = "list_all_tasks", path = "/api/tasks", tag = "tasks", responses((status = 200, body = Vec<TaskListItem>)))]
pub(crate) async fn list_all(State(app): State<App>) -> Json<Vec<TaskListItem>> {
    let mut items = Vec::new();
    for view in app.workspaces().await {
        if let Ok(loaded) = &view.loaded {
            items.extend(
                loaded.model.tasks.values().map(|entry| convert::task_item(view.name.as_str(), entry)),
            );
        }
    }
    Json(items)
}

/// The tasks of a workspace, broken ones included.
#[utoipa::path(
    get, operation_id = "list_tasks", path = "/api/workspaces/{ws}/tasks", tag = "tasks",
    params(("ws" = String, Path, description = "The workspace")),
    responses((status = 200, body = Vec<TaskListItem>), (status = 404, body = ErrorBody)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    Path(workspace): Path<String>,
) -> Result<Json<Vec<TaskListItem>>, HttpError> {
    let loaded = app.workspace(&workspace).await?;
    Ok(Json(loaded.model.tasks.values().map(|entry| convert::task_item(&workspace, entry)).collect()))
}

/// One task.
#[utoipa::path(
    get, operation_id = "show_task", path = "/api/workspaces/{ws}/tasks/{task}", tag = "tasks",
    params(("ws" = String, Path, description = "The workspace"), ("task" = String, Path, description = "The task")),
    responses((status = 200, body = TaskDetail), (status = 404, body = ErrorBody)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    Path((workspace, task)): Path<(String, String)>,
) -> Result<Json<TaskDetail>, HttpError> {
    let loaded = app.workspace(&workspace).await?;
    let Some(entry) = loaded.model.tasks.values().find(|entry| entry.name.as_str() == task) else {
        return Err(AppError::NoSuchTask { workspace, task, suggestion: None }.into());
    };
    Ok(Json(convert::task(&workspace, &loaded, entry)))
}

/// Runs a task. The job is durable when this answers.
#[utoipa::path(
    post, operation_id = "execute_task", path = "/api/workspaces/{ws}/tasks/{task}/execute", tag = "tasks",
    params(("ws" = String, Path, description = "The workspace"), ("task" = String, Path, description = "The task")),
    request_body = ExecuteRequest,
    responses(
        (status = 200, body = ExecuteResponse),
        (status = 400, body = ErrorBody, description = "Every problem of the input"),
        (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "The task's files have errors"),
        (status = 501, body = ErrorBody, description = "The task uses what this version cannot run"),
    ),
)]
pub(crate) async fn execute(
    State(app): State<App>,
    Path((workspace, task)): Path<(String, String)>,
    Extension(identity): Extension<Identity>,
    body: Bytes,
) -> Result<Made, HttpError> {
    let request: ExecuteRequest = read_body(&body, "`{\"input\": {...}}`")?;
    let source_type = if identity.way == Way::Session { "user" } else { "api" };
    let source = Source { source_type: source_type.to_owned(), source_id: identity.name };
    let job_id = app.execute(&workspace, &task, &request.input, source).await?;
    Ok(made(job_id))
}
