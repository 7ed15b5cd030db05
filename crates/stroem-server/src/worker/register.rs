//! Registration, heartbeats, goodbye.

use axum::{Json, extract::State};
use stroem_api::worker::{
    HeartbeatRequest, HeartbeatResponse, LeftoversRequest, LeftoversResponse, PROTOCOL, RegisterRequest,
    RegisterResponse,
};
use stroem_app::{App, AppError, RegisterWish};

use super::auth::{Bearer, Session};
use crate::error::HttpError;

pub(crate) async fn register(
    State(app): State<App>,
    Bearer(token): Bearer,
    Json(request): Json<RegisterRequest>,
) -> Result<Json<RegisterResponse>, HttpError> {
    if request.protocol != PROTOCOL && request.protocol + 1 != PROTOCOL {
        return Err(AppError::Protocol { worker: request.protocol, server: PROTOCOL }.into());
    }
    let wish = RegisterWish {
        name: request.name,
        instance: request.instance,
        tags: request.tags,
        withdrawn: request.withdrawn,
        exclusive: request.exclusive,
        capacity: request.capacity,
        version: request.version,
        surviving: request.surviving,
    };
    let registered = app.register(&token, wish).await?;
    let (interval, timeout) = app.heartbeat_settings();
    let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    Ok(Json(RegisterResponse {
        worker_id: registered.worker,
        session_token: registered.session_token,
        heartbeat_interval_ms: millis(interval),
        heartbeat_timeout_ms: millis(timeout),
        lost: registered.lost,
    }))
}

pub(crate) async fn heartbeat(
    State(app): State<App>,
    Session(worker): Session,
    Json(request): Json<HeartbeatRequest>,
) -> Result<Json<HeartbeatResponse>, HttpError> {
    app.heartbeat(&worker, request.draining).await?;
    Ok(Json(HeartbeatResponse {}))
}

pub(crate) async fn leftovers(
    State(app): State<App>,
    Session(_worker): Session,
    Json(request): Json<LeftoversRequest>,
) -> Result<Json<LeftoversResponse>, HttpError> {
    Ok(Json(LeftoversResponse { dead: app.dead(request.found).await? }))
}

pub(crate) async fn leave(
    State(app): State<App>,
    Session(worker): Session,
) -> Result<Json<HeartbeatResponse>, HttpError> {
    app.leave(&worker).await?;
    Ok(Json(HeartbeatResponse {}))
}
