//! Logs of any length: where lines are, which ones hold a text, and the whole as a file.

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use http::header;
use serde::Deserialize;
use stroem_api::{
    ErrorBody,
    public::{LogChunk, LogHit, LogHits, LogMap},
};
use stroem_app::{App, AppError, Cursor, LogQuery, LogSearch, Needle};
use stroem_core::JobId;
use utoipa::IntoParams;

use super::{Params, job_id, logs::cursor};
use crate::error::HttpError;

const HITS: u32 = 200;
const MOST_HITS: u32 = 2_000;
const SHOWN_CHARACTERS: usize = 400;
const DOWNLOAD_PAGE_BYTES: u64 = 1 << 20;

/// Whose map.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct MapParams {
    /// Only this step's chunks.
    step: Option<String>,
    /// Chunks from this number on.
    from_chunk: Option<u64>,
}

/// Where the lines of a log are, without the lines: a client that knows it opens a log of any length at any place.
#[utoipa::path(
    get, operation_id = "map_log", path = "/api/jobs/{id}/logs/map", tag = "logs", params(("id" = String, Path, description = "The job"), MapParams),
    responses((status = 200, body = LogMap), (status = 404, body = ErrorBody)),
)]
pub(crate) async fn map(
    State(app): State<App>,
    Path(id): Path<String>,
    Params(params): Params<MapParams>,
) -> Result<Json<LogMap>, HttpError> {
    let job = job_id(&id)?;
    let step = step_index(&app, job, params.step).await?;
    let map = app.log_map(job, step, params.from_chunk.unwrap_or(0)).await?;
    let chunks = map.chunks.into_iter().map(|place| LogChunk {
        chunk: place.chunk_no,
        step: place.step,
        attempt: place.attempt.0,
        lines: place.lines,
        first_at: place.first_at,
    });
    Ok(Json(LogMap { chunks: chunks.collect(), next_chunk: map.next_chunk, complete: map.complete }))
}

/// What to look for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchParams {
    /// The text; in any case of letters when it has no capital one. Without it, words with which programs report
    /// failure are looked for.
    q: Option<String>,
    /// Only in this step's lines.
    step: Option<String>,
    /// Where to begin.
    cursor: Option<String>,
    /// How many hits, 200 when not given, 2000 at most.
    limit: Option<u32>,
}

/// Lines of a log that hold a text. A call looks through a bounded part; while it is not complete, go on from its cursor.
#[utoipa::path(
    get, operation_id = "search_log", path = "/api/jobs/{id}/logs/search", tag = "logs",
    params(("id" = String, Path, description = "The job"), SearchParams),
    responses((status = 200, body = LogHits), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub(crate) async fn search(
    State(app): State<App>,
    Path(id): Path<String>,
    Params(params): Params<SearchParams>,
) -> Result<Json<LogHits>, HttpError> {
    let job = job_id(&id)?;
    let step = step_index(&app, job, params.step).await?;
    let search = LogSearch {
        job,
        step,
        cursor: cursor(params.cursor.as_deref())?,
        needle: params.q.filter(|text| !text.is_empty()).map_or(Needle::Failure, Needle::Text),
        hits: params.limit.unwrap_or(HITS).clamp(1, MOST_HITS) as usize,
    };
    let found = app.search_log(search).await?;
    let hits = found.hits.iter().map(|hit| LogHit {
        cursor: hit.cursor.to_string(),
        ts: hit.line.at,
        stream: hit.line.stream.as_str().to_owned(),
        step: found.step_name(hit).to_owned(),
        attempt: hit.attempt.0,
        line: String::from_utf8_lossy(&hit.line.text).chars().take(SHOWN_CHARACTERS).collect(),
    });
    Ok(Json(LogHits { hits: hits.collect(), next_cursor: found.next.to_string(), complete: found.at_end }))
}

/// Which log.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct DownloadParams {
    /// Only this step's lines.
    step: Option<String>,
}

/// A log as a text file: what was printed, a line each, up to the end of what is there now.
#[utoipa::path(
    get, operation_id = "download_log", path = "/api/jobs/{id}/logs/download", tag = "logs",
    params(("id" = String, Path, description = "The job"), DownloadParams),
    responses((status = 200, body = String, content_type = "text/plain"), (status = 404, body = ErrorBody)),
)]
pub(crate) async fn download(
    State(app): State<App>,
    Path(id): Path<String>,
    Params(params): Params<DownloadParams>,
) -> Result<Response, HttpError> {
    let job = job_id(&id)?;
    app.job_row(job).await?;
    let step = step_index(&app, job, params.step).await?;
    let pages = stream::unfold(Some(Cursor::START), move |cursor| {
        let app = app.clone();
        async move {
            let query = LogQuery { job, step, cursor: cursor?, max_bytes: DOWNLOAD_PAGE_BYTES };
            Some(match app.logs(query).await {
                Ok(page) => {
                    let mut text = Vec::new();
                    for entry in &page.entries {
                        text.extend_from_slice(&entry.line.text);
                        text.push(b'\n');
                    }
                    (Ok(Bytes::from(text)), (!page.at_end).then_some(page.next))
                }
                // The body ends short, which the client sees as a failed transfer.
                Err(error) => (Err(std::io::Error::other(error.to_string())), None),
            })
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{job}.log\"")),
    ];
    Ok((headers, Body::from_stream(pages)).into_response())
}

async fn step_index(app: &App, job: JobId, step: Option<String>) -> Result<Option<u32>, HttpError> {
    let Some(step) = step else { return Ok(None) };
    let (_, plan) = app.job_row(job).await?;
    Ok(Some(plan.step_index(&step).ok_or(AppError::NoSuchStep(step))?))
}
