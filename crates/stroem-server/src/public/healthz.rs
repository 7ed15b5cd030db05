//! `GET /healthz`

use axum::{Json, extract::State};
use stroem_api::public::Health;
use stroem_app::App;

use crate::error::HttpError;

/// Whether the server and its store answer.
#[utoipa::path(get, path = "/healthz", tag = "server", responses((status = 200, body = Health)))]
pub(crate) async fn healthz(State(app): State<App>) -> Result<Json<Health>, HttpError> {
    app.counts().await?;
    Ok(Json(Health { status: "ok".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }))
}
