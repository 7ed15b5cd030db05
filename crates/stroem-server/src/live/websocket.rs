//! `WS /api/jobs/{id}/logs/stream`: the log as messages, one line each.

use axum::{
    extract::{
        Path, State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::Response,
};
use serde::Deserialize;
use stroem_api::ErrorBody;
use stroem_app::App;
use utoipa::IntoParams;

use super::Follow;
use crate::{
    error::HttpError,
    public::{Params, job_id, logs::cursor},
};

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct StreamParams {
    /// A cursor; the beginning when not given.
    cursor: Option<String>,
}

/// Follows a job's log: one text message per line, `{ts, stream, step, line}`. The server closes when it is complete.
#[utoipa::path(
    get, operation_id = "stream_log", path = "/api/jobs/{id}/logs/stream", tag = "logs", params(("id" = String, Path, description = "The job"), StreamParams),
    responses((status = 101, description = "A WebSocket of lines"), (status = 404, body = ErrorBody)),
)]
pub(crate) async fn stream(
    State(app): State<App>,
    Path(id): Path<String>,
    Params(params): Params<StreamParams>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, HttpError> {
    let job = job_id(&id)?;
    let cursor = cursor(params.cursor.as_deref())?;
    app.job_row(job).await?;
    Ok(upgrade.on_upgrade(move |socket| send(socket, Follow::new(app, job, cursor))))
}

async fn send(mut socket: WebSocket, mut follow: Follow) {
    loop {
        let page = tokio::select! {
            page = follow.next() => page,
            message = socket.recv() => match message {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => continue,
            },
        };
        let Some(Ok(page)) = page else { break };
        for line in page.to_jsonl().lines() {
            if socket.send(Message::Text(line.into())).await.is_err() {
                return;
            }
        }
    }
    // The client may be gone already.
    let _ = socket.send(Message::Close(None)).await;
}
