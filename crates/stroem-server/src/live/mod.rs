//! Live logs. Both forms follow the same stream of pages, so both resume from a cursor.

pub(crate) mod changes;
pub(crate) mod sse;
pub(crate) mod websocket;

use stroem_app::{App, Cursor, JobSubscription, LogPage, LogQuery};
use stroem_core::JobId;

use crate::error::HttpError;

const PAGE_BYTES: u64 = 256 << 10;

/// Follows a job's log from a cursor to its end.
pub(crate) struct Follow {
    app: App,
    job: JobId,
    cursor: Cursor,
    watch: JobSubscription,
    complete: bool,
}

impl Follow {
    pub(crate) fn new(app: App, job: JobId, cursor: Cursor) -> Self {
        let watch = app.watch_job(job);
        Self { app, job, cursor, watch, complete: false }
    }

    /// The next page with lines, or the empty last one; none after it and when the server stops.
    pub(crate) async fn next(&mut self) -> Option<Result<LogPage, HttpError>> {
        while !self.complete {
            let query = LogQuery { job: self.job, step: None, cursor: self.cursor, max_bytes: PAGE_BYTES };
            let page = match self.app.logs(query).await {
                Ok(page) => page,
                Err(error) => {
                    self.complete = true;
                    return Some(Err(error.into()));
                }
            };
            self.cursor = page.next;
            self.complete = page.is_complete();
            if self.complete || !page.entries.is_empty() {
                return Some(Ok(page));
            }
            tokio::select! {
                () = self.watch.changed() => {}
                () = self.app.stopping().cancelled() => return None,
            }
        }
        None
    }
}
