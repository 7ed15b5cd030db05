//! The worker protocol, see `stroem_api::worker`.

mod auth;
mod poll;
mod register;
mod report;
mod workspace;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use stroem_app::App;

/// The largest report: its log chunks and outputs together.
const REPORT_BYTES: usize = 64 << 20;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/worker/register", post(register::register))
        .route("/worker/poll", post(poll::poll))
        .route("/worker/report", post(report::report).layer(DefaultBodyLimit::max(REPORT_BYTES)))
        .route("/worker/heartbeat", post(register::heartbeat))
        .route("/worker/leftovers", post(register::leftovers))
        .route("/worker/leave", post(register::leave))
        .route("/worker/workspaces/{workspace}/{revision}", get(workspace::download))
        .route("/worker/workspaces/{workspace}/{revision}/tar", get(workspace::download_plain))
}
