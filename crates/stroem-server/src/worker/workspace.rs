//! A revision's files.

use axum::{
    body::Body,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::header;
use stroem_app::{App, AppError};
use stroem_core::Revision;
use tokio_util::io::ReaderStream;

use super::auth::Session;
use crate::error::HttpError;

const READ_BYTES: usize = 256 << 10;

pub(crate) async fn download(
    State(app): State<App>,
    Session(_worker): Session,
    Path((workspace, revision)): Path<(String, String)>,
) -> Result<Response, HttpError> {
    let missing = || AppError::NoSuchRevision { workspace: workspace.clone(), revision: revision.clone() };
    let parsed: Revision = revision.parse().map_err(|_| missing())?;
    let path = app.tarball(&workspace, &parsed)?;
    let file = tokio::fs::File::open(&path).await.map_err(|_| missing())?;
    let body = Body::from_stream(ReaderStream::with_capacity(file, READ_BYTES));
    Ok(([(header::CONTENT_TYPE, "application/zstd")], body).into_response())
}
