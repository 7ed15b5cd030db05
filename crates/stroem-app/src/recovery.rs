//! Finds what nobody will report: workers that went silent, and steps that no worker can take. One server does it, the one
//! that leads.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use stroem_core::{TagSet, Timestamp, WorkerId};
use stroem_engine::Event;
use stroem_store::WorkerRow;

use crate::{App, AppError};

const AT_ONCE: u32 = 1_000;
/// For how long leases of a worker that is gone are looked for: a claim may have been under way at another server.
const SETTLES_FOR: Duration = Duration::from_secs(10);

/// Workers that are gone and may still hold leases.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    unsettled: Mutex<BTreeMap<WorkerId, Unsettled>>,
}

#[derive(Debug, Clone, Copy)]
struct Unsettled {
    gone_at: Timestamp,
    /// Its leases were ended once; they are looked for again at the end.
    settled_once: bool,
}

impl Recovery {
    fn unsettled(&self) -> MutexGuard<'_, BTreeMap<WorkerId, Unsettled>> {
        self.unsettled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The leases of a worker that is gone are to be ended, however often it takes.
    pub(crate) fn settle(&self, worker: WorkerId, gone_at: Timestamp) {
        self.unsettled().entry(worker).or_insert(Unsettled { gone_at, settled_once: false });
    }
}

/// Since when the judge can have heard of workers: nobody is judged for a time in which nobody could have told.
struct Judge {
    since: Timestamp,
    looked_at: Timestamp,
    absent: HashMap<TagSet, Timestamp>,
}

/// Runs until it is dropped.
pub(crate) async fn serve(app: App) {
    let now = app.now();
    let mut judge = Judge { since: now, looked_at: now, absent: HashMap::new() };
    app.remember_gone_workers().await;
    loop {
        judge.mind_the_gap(&app);
        if let Err(error) = lost_workers(&app, &mut judge).await {
            tracing::warn!(%error, "silent workers cannot be judged");
            // The database was away, and with it whatever other servers had to write.
            judge.since = app.now();
        }
        settle_leases(&app).await;
        if let Err(error) = unmatched_steps(&app, &mut judge.absent).await {
            tracing::warn!(%error, "unmatched steps cannot be judged");
        }
        tokio::time::sleep(app.inner.options.sweep_interval).await;
    }
}

impl Judge {
    /// A judge that slept, or waited for its database, heard of nobody in that time.
    fn mind_the_gap(&mut self, app: &App) {
        let (now, options) = (app.now(), &app.inner.options);
        if now.since(self.looked_at) > options.sweep_interval + options.heartbeat_timeout / 2 {
            self.since = now;
        }
        self.looked_at = now;
    }
}

/// That long before.
pub(crate) fn before(now: Timestamp, duration: Duration) -> Timestamp {
    Timestamp::from_micros(now.as_micros() - i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
}

impl App {
    /// An earlier leader may have judged workers and not have finished with them.
    async fn remember_gone_workers(&self) {
        loop {
            match self.inner.store.workers().await {
                Ok(rows) => {
                    let gone = rows.into_iter().filter(|worker| worker.gone_at.is_some());
                    gone.for_each(|worker| self.inner.recovery.settle(worker.id, self.now()));
                    return;
                }
                Err(error) => tracing::warn!(%error, "workers cannot be read"),
            }
            tokio::time::sleep(self.inner.options.sweep_interval).await;
        }
    }
}

/// A worker that was silent for the whole time-out is gone, and its attempts with it. An open poll is no sign of life: the
/// connection of a process that hangs stays open.
async fn lost_workers(app: &App, judge: &mut Judge) -> Result<(), AppError> {
    let now = app.now();
    let limit = before(now, app.inner.options.heartbeat_timeout);
    if judge.since > limit || app.inner.heartbeats.silent_since(limit).is_empty() {
        return Ok(());
    }
    if app.inner.replicas.is_shared() {
        // Other servers may have heard of them.
        app.review_workers().await?;
        judge.mind_the_gap(app);
        if judge.since > limit {
            return Ok(());
        }
    }
    for worker in app.inner.heartbeats.silent_since(limit) {
        if !app.inner.store.gone(worker.id, worker.instance, now).await? {
            // A newer instance has just registered, at another server.
            continue;
        }
        tracing::warn!(worker.id = %worker.id, worker.name = %worker.name, "worker lost");
        app.inner.heartbeats.gone(worker.id);
        app.inner.dispatch.expel(worker.id);
        app.inner.recovery.settle(worker.id, now);
        app.workers_changed();
    }
    Ok(())
}

/// Ends the attempts of workers that are gone. Whatever could not be ended is tried again in the next round, unless the
/// worker registered again: then it said itself which of its leases it still has.
async fn settle_leases(app: &App) {
    let now = app.now();
    let all: Vec<_> = app.inner.recovery.unsettled().iter().map(|(id, entry)| (*id, *entry)).collect();
    for (worker, entry) in all {
        let is_last = now.since(entry.gone_at) >= SETTLES_FOR;
        if entry.settled_once && !is_last {
            continue;
        }
        match app.end_leases_of_gone(worker).await {
            Ok(()) if is_last => drop(app.inner.recovery.unsettled().remove(&worker)),
            Ok(()) => {
                let mut unsettled = app.inner.recovery.unsettled();
                unsettled.entry(worker).and_modify(|entry| entry.settled_once = true);
            }
            Err(error) => {
                tracing::warn!(worker.id = %worker, %error, "attempts of a lost worker cannot be ended; trying again");
            }
        }
    }
}

impl App {
    async fn end_leases_of_gone(&self, worker: WorkerId) -> Result<(), AppError> {
        let leases = self.inner.store.leases(worker).await?;
        if leases.is_empty() {
            return Ok(());
        }
        let rows = self.inner.store.workers().await?;
        if rows.iter().any(|row| row.id == worker && row.gone_at.is_none()) {
            return Ok(());
        }
        self.let_go(leases).await
    }
}

/// Absence is measured for each queue, continuously, from the latest of: the step became ready, the last worker with
/// its tags went away, this server began to judge. Nothing is asked of the store while every known queue has a worker.
async fn unmatched_steps(app: &App, absent: &mut HashMap<TagSet, Timestamp>) -> Result<(), AppError> {
    let now = app.now();
    let timeout = app.inner.options.unmatched_step_timeout;
    let limit = before(now, timeout);
    for key in app.inner.dispatch.keys() {
        if has_worker(app, &key) {
            absent.remove(&key);
            continue;
        }
        let since = *absent.entry(key.clone()).or_insert(now);
        if since > limit {
            continue;
        }
        let steps = app.inner.store.ready_since(&key, limit, AT_ONCE).await?;
        if !steps.is_empty() && app.inner.replicas.is_shared() {
            // Other servers may know of a worker, or have known of one lately.
            let last = last_matching(&app.review_workers().await?, &key);
            if has_worker(app, &key) || last.is_some_and(|last| last > since) {
                absent.insert(key, last.unwrap_or(now));
                continue;
            }
        }
        for (job, step) in steps {
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

fn has_worker(app: &App, key: &TagSet) -> bool {
    app.inner.heartbeats.active().iter().any(|(tags, exclusive)| tags.may_claim(*exclusive, key))
}

/// When the last worker went that could have taken steps of a queue.
fn last_matching(rows: &[WorkerRow], key: &TagSet) -> Option<Timestamp> {
    rows.iter().filter(|row| row.tags.may_claim(row.exclusive, key)).filter_map(|row| row.gone_at).max()
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
