//! The long poll.

use std::time::Duration;

use axum::{Json, extract::State};
use stroem_api::worker::{ClaimedStep, Kill, PollRequest, PollResponse};
use stroem_app::{App, PollWish, StopReason};

use super::auth::Session;
use crate::error::HttpError;

const LONGEST_WAIT: Duration = Duration::from_secs(60);

pub(crate) async fn poll(
    State(app): State<App>,
    Session(worker): Session,
    Json(request): Json<PollRequest>,
) -> Result<Json<PollResponse>, HttpError> {
    let wish = PollWish {
        held: request.held,
        stopping: request.stopping,
        free_slots: request.free_slots,
        wait: Duration::from_millis(request.wait_ms).min(LONGEST_WAIT),
    };
    let answer = app.poll(&worker, &wish).await?;
    let claims = answer.claims.into_iter().map(|claim| ClaimedStep {
        lease: claim.lease,
        workspace: claim.workspace,
        revision: claim.revision,
        task: claim.task,
        step: claim.step,
        ready_at: claim.ready_at,
        spec: claim.spec,
        download_token: claim.download_token,
    });
    let kills = answer.kills.into_iter().map(|lease| Kill {
        lease: lease.lease,
        timed_out: match lease.kill {
            Some(StopReason::TimedOut { limit }) => Some(limit),
            Some(StopReason::Cancelled) | None => None,
        },
    });
    Ok(Json(PollResponse { claims: claims.collect(), kills: kills.collect(), lost: answer.lost }))
}
