//! The long poll: one call is open at any time, and it says how many steps the worker can take. The server answers it
//! the moment there is a step, a kill or a lost lease.
//!
//! A call that said "no slot free" is overtaken by a new one when a slot becomes free. It is not dropped: the server
//! ends it because of the newer one, so its connection is used again, and what it brings counts. A call that said "some
//! slots free" is left alone when more become free, for the server answers it all the same as soon as there is work.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use stroem_api::{
    ApiError,
    worker::{PollRequest, PollResponse},
};
use stroem_core::Timestamp;
use stroem_runner::StopReason;

use crate::{attempt, backoff::Backoff, clock, session::Current, shared::Shared};

/// How long the server holds a call open.
const WAIT: Duration = Duration::from_secs(25);
/// When all slots are taken, how long a slot may take to become free before a call without one is opened. Under load
/// there is always one, and a call is saved for each step.
const SLOT_SOON: Duration = Duration::from_millis(5);

type Answer = Result<PollResponse, ApiError>;

/// A call that is open.
struct Open {
    call: Pin<Box<dyn Future<Output = Answer> + Send>>,
    session: Arc<Current>,
    free_slots: u32,
    scopes: Vec<String>,
    since: Timestamp,
}

/// Runs until the worker leaves.
pub(crate) async fn serve(shared: Arc<Shared>) {
    let mut failures = Backoff::new();
    // A server that does not hold calls open is asked at the configured interval.
    let mut unheld = Backoff::up_to(shared.options.poll_interval);
    let mut overtaken: Option<Open> = None;
    let mut newest: Option<Open> = None;
    loop {
        let open = match newest.take() {
            Some(open) => open,
            None => open(&shared),
        };
        let current = newest.insert(open);
        let answered = tokio::select! {
            biased;
            () = shared.leaving.cancelled() => return,
            answer = &mut current.call => {
                let open = newest.take();
                open.map(|open| (open, answer, true))
            }
            answer = answer_of(overtaken.as_mut()) => overtaken.take().map(|open| (open, answer, false)),
            () = shared.leases.slot_freed() => {
                if is_outdated(&shared, current) {
                    overtaken = newest.take();
                }
                None
            }
        };
        let Some((open, answer, is_newest)) = answered else { continue };
        match answer {
            Ok(answer) => {
                failures.reset();
                let news = take(&shared, answer);
                if !is_newest {
                    continue;
                }
                if news || clock::now().since(open.since) >= WAIT / 2 {
                    unheld.reset();
                } else {
                    pause(&shared, unheld.next()).await;
                }
                let _ = tokio::time::timeout(SLOT_SOON, shared.leases.a_slot_is_free()).await;
            }
            Err(_) if !is_newest => {}
            Err(error) => {
                if !shared.session.renewed(&error, &open.session).await {
                    if failures.is_fresh() {
                        tracing::warn!(%error, "cannot ask for work now; trying again");
                    }
                    pause(&shared, failures.next()).await;
                }
            }
        }
    }
}

fn open(shared: &Arc<Shared>) -> Open {
    let holdings = shared.leases.holdings();
    let free_slots = if shared.draining.is_cancelled() { 0 } else { holdings.free_slots };
    let scopes = shared.scopes();
    let request = PollRequest {
        held: holdings.held,
        stopping: holdings.stopping,
        free_slots,
        scopes: scopes.clone(),
        wait_ms: u64::try_from(WAIT.as_millis()).unwrap_or(u64::MAX),
    };
    let session = shared.session.current();
    let (control, token) = (shared.control.clone(), session.token.clone());
    let call = Box::pin(async move { control.poll(&token, &request).await });
    Open { call, session, free_slots, scopes, since: clock::now() }
}

/// Whether the server must be told something else than the open call says.
fn is_outdated(shared: &Shared, open: &Open) -> bool {
    if shared.draining.is_cancelled() {
        open.free_slots > 0
    } else {
        open.scopes != shared.scopes() || open.free_slots == 0 && shared.leases.free_slots() > 0
    }
}

async fn answer_of(open: Option<&mut Open>) -> Answer {
    match open {
        Some(open) => open.call.as_mut().await,
        None => std::future::pending().await,
    }
}

/// Waits, but not for longer than the worker stays.
async fn pause(shared: &Shared, duration: Duration) {
    tokio::select! {
        () = shared.leaving.cancelled() => {}
        () = tokio::time::sleep(duration) => {}
    }
}

/// Does what an answer says. Whether it said anything new: a claim that is repeated is not.
fn take(shared: &Arc<Shared>, answer: PollResponse) -> bool {
    let mut news = !answer.kills.is_empty() || !answer.lost.is_empty();
    for claim in answer.claims {
        news |= attempt::begin(shared, claim);
    }
    for kill in answer.kills {
        let reason = kill.timed_out.map_or(StopReason::Cancelled, |limit| StopReason::TimedOut { limit });
        shared.leases.stop(kill.lease, reason);
    }
    for lease in answer.lost {
        // The end of one that is over may be on its way; the answer to that decides.
        shared.leases.stop(lease, StopReason::LeaseLost);
    }
    news
}
