//! A revision's files: packed for workers, plain for pods.

use std::io::Read;

use axum::{
    body::Body,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::header;
use stroem_app::{App, AppError};
use stroem_core::Revision;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::io::ReaderStream;

use super::auth::{Bearer, Session};
use crate::error::HttpError;

const READ_BYTES: usize = 256 << 10;

pub(crate) async fn download(
    State(app): State<App>,
    Session(_worker): Session,
    Path((workspace, revision)): Path<(String, String)>,
) -> Result<Response, HttpError> {
    let missing = || AppError::NoSuchRevision { workspace: workspace.clone(), revision: revision.clone() };
    let parsed: Revision = revision.parse().map_err(|_| missing())?;
    let path = app.tarball(&workspace, &parsed).await?;
    let file = tokio::fs::File::open(&path).await.map_err(|_| missing())?;
    let body = Body::from_stream(ReaderStream::with_capacity(file, READ_BYTES));
    Ok(([(header::CONTENT_TYPE, "application/zstd")], body).into_response())
}

/// Pieces that wait for a slow pod.
const PIECES: usize = 2;

/// For programs that pods are sure to have, which know no zstd, with a token that opens nothing else.
pub(crate) async fn download_plain(
    State(app): State<App>,
    Bearer(token): Bearer,
    Path((workspace, revision)): Path<(String, String)>,
) -> Result<Response, HttpError> {
    let parsed: Revision = revision.parse().map_err(|_| AppError::BadDownloadToken)?;
    let files = app.download(&token, &workspace, &parsed).await?;
    let (sender, pieces) = tokio::sync::mpsc::channel(PIECES);
    tokio::task::spawn_blocking(move || pump(files, &sender));
    let body = Body::from_stream(ReceiverStream::new(pieces));
    Ok(([(header::CONTENT_TYPE, "application/x-tar")], body).into_response())
}

/// Reads to the end, or until nobody takes it any more.
fn pump(mut files: Box<dyn Read + Send>, sender: &tokio::sync::mpsc::Sender<std::io::Result<Bytes>>) {
    loop {
        let mut piece = Vec::with_capacity(READ_BYTES);
        let read = (&mut files).take(READ_BYTES as u64).read_to_end(&mut piece);
        let piece = match read {
            Ok(0) => return,
            read => read.map(|_| Bytes::from(piece)),
        };
        let failed = piece.is_err();
        if sender.blocking_send(piece).is_err() || failed {
            return;
        }
    }
}
