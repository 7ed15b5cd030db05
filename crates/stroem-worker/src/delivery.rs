//! Sends what the outbox holds, one call at a time and as soon as there is something, so that what comes together
//! travels together. Nothing is given up: what is not acknowledged is sent again.

use std::sync::Arc;

use stroem_api::{ApiError, worker::Report};
use stroem_runner::StopReason;

use crate::{backoff::Backoff, shared::Shared};

/// Runs until the worker leaves.
pub(crate) async fn serve(shared: Arc<Shared>) {
    tokio::select! {
        () = deliver(&shared) => {}
        () = shared.leaving.cancelled() => {}
    }
}

async fn deliver(shared: &Shared) {
    let mut backoff = Backoff::new();
    loop {
        shared.outbox.something().await;
        let Some(report) = shared.outbox.next() else { continue };
        match send(shared, &report).await {
            Ok(true) => {
                if !backoff.is_fresh() {
                    tracing::info!("reports are delivered again");
                }
                backoff.reset();
                continue;
            }
            Ok(false) => {}
            Err(error) if backoff.is_fresh() => {
                tracing::warn!(%error, "reports cannot be delivered now; they are kept and sent again");
            }
            Err(_) => {}
        }
        backoff.wait().await;
    }
}

/// Sends one call; false when the server took nothing of it.
async fn send(shared: &Shared, report: &Report) -> Result<bool, ApiError> {
    let session = shared.session.current();
    match shared.control.report(&session.token, report).await {
        Ok(response) => {
            let settled = shared.outbox.settle(report, &response);
            for lease in settled.over {
                shared.leases.release(lease);
            }
            for lease in settled.lost {
                tracing::warn!(job.id = %lease.attempt.job, step = lease.attempt.step, attempt = lease.attempt.attempt.0, "lease lost");
                shared.lost(lease);
            }
            Ok(settled.progress)
        }
        Err(error) => {
            shared.outbox.failed(report);
            if shared.session.renewed(&error, &session).await { Ok(true) } else { Err(error) }
        }
    }
}

impl Shared {
    /// A lease is over: an attempt that runs is stopped, one that ended is forgotten.
    fn lost(&self, lease: stroem_core::LeaseKey) {
        if self.leases.is_running(lease) {
            self.leases.stop(lease, StopReason::LeaseLost);
        } else {
            self.leases.release(lease);
        }
    }
}
