//! `/api/workspaces`

use axum::{
    Json,
    extract::{Path, State},
};
use stroem_api::{
    ErrorBody,
    public::{RefreshResponse, WorkspaceInfo},
};
use stroem_app::App;

use crate::{convert, error::HttpError};

/// All workspaces with the problems of their files.
#[utoipa::path(get, operation_id = "list_workspaces", path = "/api/workspaces", tag = "workspaces", responses((status = 200, body = Vec<WorkspaceInfo>)))]
pub(crate) async fn list(State(app): State<App>) -> Json<Vec<WorkspaceInfo>> {
    Json(app.workspaces().await.iter().map(convert::workspace).collect())
}

/// Takes in changes of the files now.
#[utoipa::path(
    post, operation_id = "refresh_workspace", path = "/api/workspaces/{ws}/refresh", tag = "workspaces",
    params(("ws" = String, Path, description = "The workspace")),
    responses((status = 200, body = RefreshResponse), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)),
)]
pub(crate) async fn refresh(
    State(app): State<App>,
    Path(workspace): Path<String>,
) -> Result<Json<RefreshResponse>, HttpError> {
    let loaded = app.workspace(&workspace).await?;
    Ok(Json(RefreshResponse { revision: loaded.revision.to_string() }))
}
