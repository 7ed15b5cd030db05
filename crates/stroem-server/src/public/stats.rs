//! `GET /api/stats`

use axum::{Json, extract::State};
use stroem_api::public::Stats;
use stroem_app::App;

use crate::error::HttpError;

/// Numbers for a dashboard.
#[utoipa::path(get, path = "/api/stats", tag = "server", responses((status = 200, body = Stats)))]
pub(crate) async fn stats(State(app): State<App>) -> Result<Json<Stats>, HttpError> {
    let counts = app.counts().await?;
    let workers = app.workers().await?;
    let active = workers.iter().filter(|worker| worker.row.gone_at.is_none() && !worker.row.draining);
    let slots: u64 = active.clone().map(|worker| u64::from(worker.row.capacity)).sum();
    Ok(Json(Stats {
        jobs: counts.jobs.into_iter().map(|(status, count)| (status.to_string(), count)).collect(),
        steps_ready: counts.ready_steps,
        steps_running: counts.running_steps,
        workers_active: active.count() as u64,
        slots,
    }))
}
