//! Fires timers: sleeps until the earliest one is due.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use stroem_core::Timestamp;
use stroem_engine::{Event, TimerKind, TimerRow};
use tokio::sync::Notify;

use crate::App;
use stroem_core::{AttemptKey, LeaseKey};

const AT_ONCE: u32 = 200;
/// The longest sleep; also how soon a timer is found whose notification was lost.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Tells the timer service of a timer that may be the earliest.
#[derive(Debug, Clone)]
pub(crate) struct TimerSignal {
    earliest: Arc<AtomicI64>,
    notify: Arc<Notify>,
}

impl Default for TimerSignal {
    fn default() -> Self {
        Self { earliest: Arc::new(AtomicI64::new(i64::MAX)), notify: Arc::default() }
    }
}

impl TimerSignal {
    /// The timers are to be looked at.
    pub(crate) fn look(&self) {
        self.notify.notify_one();
    }

    pub(crate) fn added(&self, due_at: Timestamp) {
        if due_at.as_micros() < self.earliest.fetch_min(due_at.as_micros(), Ordering::Relaxed) {
            self.notify.notify_one();
        }
    }
}

/// Runs until it is dropped.
pub(crate) async fn serve(app: App) {
    let signal = app.inner.timers.clone();
    loop {
        signal.earliest.store(i64::MAX, Ordering::Relaxed);
        let sleep = match fire(&app).await {
            Ok(sleep) => sleep,
            Err(error) => {
                tracing::warn!(%error, "timers cannot be read");
                Duration::from_secs(1)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(sleep) => {}
            () = signal.notify.notified() => {}
        }
    }
}

/// Fires what is due and says how long to sleep.
async fn fire(app: &App) -> Result<Duration, stroem_store::StoreError> {
    let store = &app.inner.store;
    let due = store.due_timers(app.now(), AT_ONCE).await?;
    let mut failed = None;
    let mut fired = 0;
    for timer in &due {
        // One job that cannot be changed does not keep the timers of others waiting.
        match app.inner.mailboxes.send(timer.key.job, vec![event(timer)]).await {
            Ok(_) => fired += 1,
            Err(error) => {
                tracing::error!(job.id = %timer.key.job, %error, "a timer cannot be fired");
                failed = Some(error);
            }
        }
    }
    match failed {
        Some(error) if fired == 0 => return Err(error),
        _ if !due.is_empty() => return Ok(Duration::ZERO),
        _ => {}
    }
    let Some(next) = store.next_timer().await? else { return Ok(LONGEST_SLEEP) };
    app.inner.timers.earliest.fetch_min(next.as_micros(), Ordering::Relaxed);
    Ok(next.since(app.now()).min(LONGEST_SLEEP))
}

fn event(timer: &TimerRow) -> Event {
    let key = timer.key;
    match key.kind {
        TimerKind::JobDeadline => Event::JobDeadline,
        TimerKind::AttemptDeadline => Event::AttemptDeadline {
            lease: LeaseKey {
                attempt: AttemptKey { job: key.job, step: key.step, attempt: key.attempt },
                fence: key.fence,
            },
        },
    }
}
