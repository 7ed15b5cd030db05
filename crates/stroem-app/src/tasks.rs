//! The one place that spawns: every task is tracked, told to stop and joined.

use std::future::Future;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Spawns tasks of the application.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Runs to its own end, also while the application stops: for work that was begun and must be finished.
    pub(crate) fn finish<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tracker.spawn(future);
    }

    /// Runs until the application stops.
    pub(crate) fn serve<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.serve_during(&self.stop, future);
    }

    /// Runs until a term is over, which ends with the application at the latest.
    pub(crate) fn serve_during<F>(&self, term: &CancellationToken, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = term.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = future => {}
            }
        });
    }

    /// Whether the application stops.
    pub(crate) fn stopping(&self) -> &CancellationToken {
        &self.stop
    }

    /// Stops and joins all.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}
