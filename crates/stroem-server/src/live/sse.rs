//! `GET /api/jobs/{id}/logs/events`: the log as server-sent events.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::{Path, State},
    response::{
        IntoResponse,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use http::HeaderMap;
use stroem_api::ErrorBody;
use stroem_app::{App, LogPage};

use super::Follow;
use crate::{
    error::HttpError,
    public::{job_id, logs::cursor},
};

/// Follows a job's log. Each event `lines` has a JSON array of lines as data and the next cursor as id; a client that
/// comes back sends the last id as `Last-Event-ID` and misses nothing. The event `end` says that the log is complete.
#[utoipa::path(
    get, operation_id = "follow_log", path = "/api/jobs/{id}/logs/events", tag = "logs",
    params(
        ("id" = String, Path, description = "The job"),
        ("Last-Event-ID" = Option<String>, Header, description = "Where to begin"),
    ),
    responses(
        (status = 200, description = "Server-sent events `lines` and `end`", content_type = "text/event-stream"),
        (status = 404, body = ErrorBody),
    ),
)]
pub(crate) async fn events(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, HttpError> {
    let job = job_id(&id)?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let cursor = cursor(last)?;
    app.job_row(job).await?;
    let follow = Follow::new(app, job, cursor);
    let events = stream::unfold(follow, |mut follow| async move {
        let page = follow.next().await?;
        Some((stream::iter(to_events(page)), follow))
    });
    let events = futures_util::StreamExt::flatten(events);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

fn to_events(page: Result<LogPage, HttpError>) -> Vec<Result<Event, Infallible>> {
    let Ok(page) = page else {
        return vec![Ok(Event::default().event("error").data("the log cannot be read; try again"))];
    };
    let id = page.next.to_string();
    let mut events = Vec::new();
    if !page.entries.is_empty() {
        let lines = page.to_jsonl();
        let array = format!("[{}]", lines.trim_end().replace('\n', ","));
        events.push(Ok(Event::default().event("lines").id(id.clone()).data(array)));
    }
    if page.is_complete() {
        events.push(Ok(Event::default().event("end").id(id).data("{}")));
    }
    events
}
