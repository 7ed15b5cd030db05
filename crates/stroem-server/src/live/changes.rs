//! `GET /api/events`: hints about what changed, one stream for a whole page.

use std::{collections::BTreeMap, convert::Infallible, time::Duration};

use axum::{
    extract::State,
    response::{
        IntoResponse,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use http::HeaderMap;
use serde::Deserialize;
use stroem_api::{
    ErrorBody,
    public::{Hints, JobHint},
};
use stroem_app::{App, Change, ChangeWatch, JobSubscription, Place};
use utoipa::IntoParams;

use crate::{
    error::HttpError,
    public::{Params, job_id},
};

/// The least time between two events, so that a busy server costs a page ten events a second at most.
const PAUSE: Duration = Duration::from_millis(100);

/// What to follow.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventParams {
    /// A job whose log is followed: `log` is set when it grew.
    log: Option<String>,
}

/// Follows changes of jobs, workers and workspaces. Each event `changes` has hints as data and its place as id; a client
/// that comes back sends the last id as `Last-Event-ID`. When the server no longer knows what came after it, the
/// first event has `all` set. The first event comes at once, so that a client knows that it is connected.
#[utoipa::path(
    get, operation_id = "follow_changes", path = "/api/events", tag = "server",
    params(EventParams, ("Last-Event-ID" = Option<String>, Header, description = "Where to begin")),
    responses(
        (status = 200, description = "Server-sent events `changes`", body = Hints, content_type = "text/event-stream"),
        (status = 400, body = ErrorBody),
    ),
)]
pub(crate) async fn events(
    State(app): State<App>,
    headers: HeaderMap,
    Params(params): Params<EventParams>,
) -> Result<impl IntoResponse, HttpError> {
    let log = params.log.as_deref().map(job_id).transpose()?.map(|job| app.watch_job(job));
    let watch = app.watch_changes();
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let place = last.map_or_else(|| watch.now(), |text| parse(text).unwrap_or(Place { memory: 0, seq: 0 }));
    let following = Following { app, watch, log, place, first: true };
    let events = stream::unfold(following, |mut following| async move {
        let hints = following.next().await?;
        let event = Event::default().event("changes").id(show(following.place));
        // Hints are text and numbers, which are always JSON.
        Some((event.json_data(hints).map_err(|_| unreachable_error()), following))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

fn unreachable_error() -> Infallible {
    unreachable!("hints are text and numbers")
}

struct Following {
    app: App,
    watch: ChangeWatch,
    log: Option<JobSubscription>,
    place: Place,
    first: bool,
}

impl Following {
    /// The next hints; none when the server stops.
    async fn next(&mut self) -> Option<Hints> {
        let mut log = false;
        if !self.first {
            tokio::select! {
                () = self.watch.changed() => {}
                () = changed(self.log.as_mut()) => log = true,
                () = self.app.stopping().cancelled() => return None,
            }
            // What follows closely goes with the same event.
            tokio::select! {
                () = tokio::time::sleep(PAUSE / 4) => {}
                () = self.app.stopping().cancelled() => return None,
            }
        }
        self.first = false;
        let since = self.watch.since(self.place);
        self.place = since.next;
        let mut hints = to_hints(since.changes);
        hints.log = log;
        Some(hints)
    }
}

async fn changed(log: Option<&mut JobSubscription>) {
    match log {
        Some(log) => log.changed().await,
        None => std::future::pending().await,
    }
}

fn to_hints(changes: Option<Vec<Change>>) -> Hints {
    let Some(changes) = changes else { return Hints { all: true, ..Hints::default() } };
    let (mut hints, mut jobs) = (Hints::default(), BTreeMap::new());
    for change in changes {
        match change {
            Change::Job { job, status, version } => {
                jobs.insert(job, JobHint { job_id: job, version, status });
            }
            Change::Workers => hints.workers = true,
            Change::Workspaces => hints.workspaces = true,
        }
    }
    hints.jobs = jobs.into_values().collect();
    hints
}

fn show(place: Place) -> String {
    format!("{}-{}", place.memory, place.seq)
}

fn parse(text: &str) -> Option<Place> {
    let (memory, seq) = text.split_once('-')?;
    Some(Place { memory: memory.parse().ok()?, seq: seq.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use stroem_core::{JobId, JobStatus};

    use super::*;

    #[test]
    fn a_job_that_changed_often_is_named_once_with_its_newest_version() {
        let job = JobId::from_uuid(Default::default());
        let change = |version| Change::Job { job, status: JobStatus::Running, version };
        let hints = to_hints(Some(vec![change(1), Change::Workers, change(2)]));
        assert_eq!(hints.jobs.iter().map(|job| job.version).collect::<Vec<_>>(), [2]);
        assert!(hints.workers && !hints.workspaces && !hints.all);
        assert!(to_hints(None).all);
    }

    #[test]
    fn a_place_survives_the_way_through_a_client() {
        let place = Place { memory: 1_700_000_000_000_000, seq: 12 };
        assert_eq!(parse(&show(place)), Some(place));
        assert_eq!(parse("x"), None);
    }
}
