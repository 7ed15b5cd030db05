//! Services that run once for a store: this server runs them while it leads. A server that is alone leads always.
//!
//! For a moment two servers may think that they lead; whatever these services do is harmless then.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::{App, recovery, sealer, tarballs, timers};

/// How often a server asks whether it may lead. It is less than half of the 5 seconds in which another one takes over.
const AGAIN: Duration = Duration::from_secs(2);

/// Leads whenever nobody else does, until it is dropped.
pub(crate) async fn serve(app: App) {
    let mut is_told = false;
    loop {
        match app.inner.replicas.try_lead().await {
            Ok(Some(leadership)) => {
                tracing::info!("this server leads");
                is_told = false;
                let term = app.stopping().child_token();
                let over = term.clone().drop_guard();
                app.inner.replicas.set_leads(true);
                lead(&app, &term);
                leadership.lost().await;
                app.inner.replicas.set_leads(false);
                drop(over);
                tracing::warn!("this server does not lead any more");
                continue;
            }
            Ok(None) => {}
            Err(error) if is_told => tracing::debug!(%error, "cannot ask who leads"),
            Err(error) => {
                is_told = true;
                tracing::warn!(%error, "cannot ask who leads; trying again");
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Starts what a leader does, until its term is over.
pub(crate) fn lead(app: &App, term: &CancellationToken) {
    let tasks = &app.inner.tasks;
    tasks.serve_during(term, timers::serve(app.clone()));
    tasks.serve_during(term, recovery::serve(app.clone()));
    tasks.serve_during(term, sealer::serve(app.clone()));
    if app.inner.replicas.is_shared() {
        tasks.serve_during(term, tarballs::serve_shared(app.clone()));
    }
}
