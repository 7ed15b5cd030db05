//! The long poll.

use std::time::Duration;

use axum::{Json, extract::State};
use stroem_api::worker::{Adopted, ClaimedStep, Kill, PollRequest, PollResponse, StoredLog};
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
        scopes: request.scopes,
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
        adopted: claim.adopted.map(adopted),
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

fn adopted(adopted: stroem_app::Adopted) -> Adopted {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let stroem_app::StoredLog { next_seq, raw_bytes, stdout_lines, stderr_lines } = adopted.log;
    Adopted {
        runtime: adopted.runtime,
        running_ms: adopted.running_for.map(millis),
        log: StoredLog { next_seq, raw_bytes, stdout_lines, stderr_lines },
    }
}
