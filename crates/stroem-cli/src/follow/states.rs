//! A job's states as a stream: each time it changed, until it ended.

use std::time::Duration;

use futures_util::stream::{self, Stream};
use stroem_api::{ApiClient, public::JobDetail};
use stroem_core::JobId;

use crate::{failure::Failure, follow::away::Presence};

/// What became of the job.
#[derive(Debug)]
pub(super) enum StateEvent {
    /// It is like this now.
    Changed(Box<JobDetail>),
    /// The server is away; to be said once.
    Away(String),
}

/// How long the server may hold an answer back.
const WAIT_MS: u64 = 25_000;
/// Jobs with more steps than this are looked at less often: their answers are large.
const STEPS_AT_FULL_SPEED: usize = 50;
/// The pause when the server gave its answer early without a change, as it does when it stops.
const PAUSE_UNCHANGED: Duration = Duration::from_millis(100);

struct States {
    client: ApiClient,
    job: JobId,
    version: i64,
    pause: Duration,
    presence: Presence,
    ended: bool,
}

/// The states of a job, the present one first. Ends after the state with `completed_at`.
pub(super) fn events(client: ApiClient, job: JobId) -> impl Stream<Item = Result<StateEvent, Failure>> {
    let states =
        States { client, job, version: -1, pause: Duration::ZERO, presence: Presence::new(), ended: false };
    stream::try_unfold(states, async |mut states| Ok(states.next().await?.map(|event| (event, states))))
}

impl States {
    async fn next(&mut self) -> Result<Option<StateEvent>, Failure> {
        while !self.ended {
            tokio::time::sleep(self.pause).await;
            match self.client.job_after(self.job, self.version, WAIT_MS).await {
                Ok(detail) => {
                    self.presence.is_here();
                    self.ended = detail.completed_at.is_some();
                    let changed = detail.version != self.version;
                    self.version = detail.version;
                    self.pause = if changed { pause(detail.steps.len()) } else { PAUSE_UNCHANGED };
                    if changed || self.ended {
                        return Ok(Some(StateEvent::Changed(Box::new(detail))));
                    }
                }
                Err(error) => {
                    let remark = self.presence.is_away(error)?;
                    self.presence.pause().await;
                    if let Some(remark) = remark {
                        return Ok(Some(StateEvent::Away(remark)));
                    }
                }
            }
        }
        Ok(None)
    }
}

/// How long to let changes gather: none for small jobs, a millisecond a step and a second at most for large ones.
fn pause(steps: usize) -> Duration {
    if steps <= STEPS_AT_FULL_SPEED {
        return Duration::ZERO;
    }
    Duration::from_millis(u64::try_from(steps).unwrap_or(u64::MAX).min(1_000))
}
