//! Things on platforms that nobody runs any more: found by the runners, judged by the server, removed here. While the
//! server cannot be asked nothing is removed, for what runs may be another worker's.

use std::{collections::HashMap, sync::Arc, time::Duration};

use stroem_api::worker::LeftoversRequest;
use stroem_core::{LeaseKey, Timestamp};
use stroem_runner::Runner;

use crate::{clock, shared::Shared};

/// How often it is looked. Also right at the start, and when a step was let go.
const EVERY: Duration = Duration::from_secs(5);
/// How often it is asked about one thing that was not dead: most are other workers'.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// Runs until the worker leaves.
pub(crate) async fn serve(shared: Arc<Shared>) {
    let mut asked = HashMap::new();
    loop {
        for runner in &shared.options.runners {
            tokio::select! {
                () = shared.leaving.cancelled() => return,
                () = look(&shared, runner.as_ref(), &mut asked) => {}
            }
        }
        tokio::select! {
            () = shared.leaving.cancelled() => return,
            () = shared.sweep.notified() => asked.clear(),
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn look(shared: &Shared, runner: &dyn Runner, asked: &mut HashMap<LeaseKey, Timestamp>) {
    // A platform that cannot be reached now withdraws its tag, which says so.
    let Ok(mut found) = runner.leftovers().await else { return };
    let (held, now) = (shared.leases.held(), clock::now());
    asked.retain(|_, at| now.since(*at) < ASK_AGAIN);
    found
        .retain(|lease| !asked.contains_key(lease) && !held.iter().any(|held| held.attempt == lease.attempt));
    if found.is_empty() {
        return;
    }
    let session = shared.session.current();
    let request = LeftoversRequest { found: found.clone() };
    let dead = match shared.control.leftovers(&session.token, &request).await {
        Ok(answer) => answer.dead,
        Err(error) => {
            tracing::debug!(%error, "the server cannot say what of the things found on a platform is dead");
            shared.session.renewed(&error, &session).await;
            return;
        }
    };
    asked.extend(found.into_iter().map(|lease| (lease, now)));
    for lease in dead {
        tracing::warn!(job.id = %lease.attempt.job, step = lease.attempt.step, attempt = lease.attempt.attempt.0, runner = runner.kind().as_str(), "removing what a lost attempt left");
        runner.cleanup(lease.attempt, &shared.scratch(lease, runner.kind())).await;
    }
}
