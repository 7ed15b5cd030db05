//! Signs of life while nothing else is said. That one fails stops nothing: polls and reports count as well.

use std::sync::Arc;

use stroem_api::worker::HeartbeatRequest;

use crate::shared::Shared;

/// Runs until the worker leaves.
pub(crate) async fn serve(shared: Arc<Shared>) {
    loop {
        let session = shared.session.current();
        let was_draining = shared.draining.is_cancelled();
        tokio::select! {
            () = shared.leaving.cancelled() => return,
            () = shared.draining.cancelled(), if !was_draining => {}
            () = tokio::time::sleep(session.heartbeat_interval) => {}
        }
        let request = HeartbeatRequest { draining: shared.draining.is_cancelled() };
        let call = shared.control.heartbeat(&session.token, &request);
        let answer = tokio::select! {
            () = shared.leaving.cancelled() => return,
            answer = call => answer,
        };
        if let Err(error) = answer
            && !shared.session.renewed(&error, &session).await
        {
            tracing::debug!(%error, "a heartbeat failed");
        }
    }
}
