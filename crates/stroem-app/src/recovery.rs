//! Finds what nobody will report: workers that went silent, and steps that no worker can take.

use std::collections::HashMap;

use stroem_core::{TagSet, Timestamp};
use stroem_engine::Event;
use stroem_store::StoreError;

use crate::{App, AppError, Change};

const AT_ONCE: u32 = 1_000;

/// Runs until it is dropped.
pub(crate) async fn serve(app: App) {
    let mut absent: HashMap<TagSet, Timestamp> = HashMap::new();
    loop {
        tokio::time::sleep(app.inner.options.sweep_interval).await;
        if let Err(error) = lost_workers(&app).await {
            tracing::warn!(%error, "silent workers cannot be judged");
        }
        if let Err(error) = unmatched_steps(&app, &mut absent).await {
            tracing::warn!(%error, "unmatched steps cannot be judged");
        }
    }
}

/// That long before.
pub(crate) fn before(now: Timestamp, duration: std::time::Duration) -> Timestamp {
    Timestamp::from_micros(now.as_micros() - i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
}

/// A worker that was silent for the whole time-out is gone, and its attempts with it. An open poll is no sign of life: the
/// connection of a process that hangs stays open.
async fn lost_workers(app: &App) -> Result<(), AppError> {
    let now = app.now();
    for worker in app.inner.heartbeats.silent_since(before(now, app.inner.options.heartbeat_timeout)) {
        tracing::warn!(worker.id = %worker.id, worker.name = %worker.name, "worker lost");
        app.inner.store.gone(worker.id, worker.instance, now).await?;
        app.inner.heartbeats.gone(worker.id, now);
        app.inner.dispatch.expel(worker.id);
        app.inner.changes.note(Change::Workers);
        let leases = app.inner.store.leases(worker.id).await?;
        app.let_go(leases).await?;
    }
    Ok(())
}

/// Absence is measured for each queue, continuously, from the latest of: the step became ready, the last worker with
/// its tags went away, the server started. Nothing is asked of the store while every known queue has a worker.
async fn unmatched_steps(app: &App, absent: &mut HashMap<TagSet, Timestamp>) -> Result<(), StoreError> {
    let now = app.now();
    let active = app.inner.heartbeats.active();
    let timeout = app.inner.options.unmatched_step_timeout;
    for key in app.inner.dispatch.keys() {
        if active.iter().any(|(tags, exclusive)| tags.may_claim(*exclusive, &key)) {
            absent.remove(&key);
            continue;
        }
        let since = *absent.entry(key.clone()).or_insert(now);
        let limit = before(now, timeout);
        if since > limit {
            continue;
        }
        for (job, step) in app.inner.store.ready_since(&key, limit, AT_ONCE).await? {
            tracing::info!(job.id = %job, step, tags = key.queue_key(), "no active worker has the step's tags");
            app.note(job, step, &lacking(app, &key)).await;
            // One job that cannot be changed does not keep the others waiting.
            if let Err(error) = app.inner.mailboxes.send(job, vec![Event::Unmatched { step }]).await {
                tracing::error!(job.id = %job, step, %error, "an unmatched step cannot be ended");
            }
        }
    }
    Ok(())
}

/// Which worker lacks which of these tags.
fn lacking(app: &App, key: &TagSet) -> String {
    let wanted = key.iter().map(|tag| tag.as_str()).collect::<Vec<_>>().join(", ");
    let workers: Vec<String> = app
        .inner
        .heartbeats
        .rows()
        .iter()
        .map(|worker| {
            let missing = worker.tags.missing(key);
            let missing = missing.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let why = if missing.is_empty() {
                "takes no such steps".to_owned()
            } else {
                format!("lacks {missing}")
            };
            format!("{} {why}", worker.name)
        })
        .collect();
    let workers = if workers.is_empty() { "no worker is connected".to_owned() } else { workers.join(", ") };
    format!("required tags: {wanted}; {workers}")
}
