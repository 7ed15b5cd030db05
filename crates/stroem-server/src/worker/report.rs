//! Log chunks and what happened to attempts.

use axum::{Json, body::Bytes, extract::State};
use stroem_api::worker::{
    ChunkAnswer, ChunkMeta, Report, ReportAnswer, ReportKind, ReportResponse, ReportVerdict,
};
use stroem_app::{App, ChunkIn, NewChunk, ReportIn, Verdict};
use stroem_core::Timestamp;

use super::auth::Session;
use crate::error::HttpError;

pub(crate) async fn report(
    State(app): State<App>,
    Session(worker): Session,
    body: Bytes,
) -> Result<Json<ReportResponse>, HttpError> {
    let report =
        Report::decode(body).map_err(|error| HttpError::bad_request("bad_report", error.to_string()))?;
    let chunks =
        report.chunks.iter().zip(report.payloads).map(|(meta, payload)| chunk(meta, payload)).collect();
    let keys: Vec<_> = report.attempts.iter().map(|report| (report.lease, report.report_seq)).collect();
    let reports = report.attempts.into_iter().map(|report| (report.lease, kind(report.kind))).collect();
    let out = app.report(&worker, chunks, reports).await?;
    Ok(Json(ReportResponse {
        chunks: out.chunks.into_iter().map(|(lease, next_seq)| ChunkAnswer { lease, next_seq }).collect(),
        attempts: keys
            .into_iter()
            .zip(out.verdicts)
            .map(|((lease, report_seq), verdict)| ReportAnswer {
                lease,
                report_seq,
                verdict: verdict_of(verdict),
            })
            .collect(),
    }))
}

fn chunk(meta: &ChunkMeta, payload: Bytes) -> ChunkIn {
    ChunkIn {
        lease: meta.lease,
        chunk: NewChunk {
            key: ChunkIn::key(meta.lease),
            seq: meta.seq,
            lines: meta.lines,
            raw_bytes: meta.raw_bytes,
            first_at: Timestamp::from_micros(meta.first_at_us),
            last_at: Timestamp::from_micros(meta.last_at_us),
            payload,
        },
    }
}

fn kind(kind: ReportKind) -> ReportIn {
    match kind {
        ReportKind::Placed { runtime } => ReportIn::Placed { runtime },
        ReportKind::Started { at } => ReportIn::Started { at },
        ReportKind::Ended { outcome, output } => ReportIn::Ended { outcome, output },
        ReportKind::HandedBack => ReportIn::HandedBack,
    }
}

fn verdict_of(verdict: Verdict) -> ReportVerdict {
    match verdict {
        Verdict::Applied => ReportVerdict::Applied,
        Verdict::LeaseLost => ReportVerdict::LeaseLost,
        Verdict::Again => ReportVerdict::Again,
    }
}
