//! Signs of life, kept in memory and written together every few seconds.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use stroem_core::{TagSet, Timestamp, WorkerId, WorkerName};
use stroem_store::{Store, StoreError, WorkerRow};

use crate::{App, Change};

/// How often signs of life are written.
const WRITE_EVERY: Duration = Duration::from_secs(5);

/// What is known of live workers.
#[derive(Debug, Default)]
pub(crate) struct Heartbeats {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    workers: HashMap<WorkerId, WorkerRow>,
    sessions: HashMap<[u8; 32], WorkerId>,
    unwritten: HashMap<WorkerId, Timestamp>,
}

impl Heartbeats {
    /// Nobody is judged lost for one full time-out after a start, so the start counts as a sign of life.
    pub(crate) fn load(workers: Vec<WorkerRow>, started_at: Timestamp) -> Self {
        let alive = workers.into_iter().filter(|worker| worker.gone_at.is_none());
        let workers = alive.map(|mut worker| {
            worker.last_seen = worker.last_seen.max(started_at);
            (worker.id, worker)
        });
        Self { state: Mutex::new(State { workers: workers.collect(), ..State::default() }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn by_name(&self, name: &WorkerName) -> Option<WorkerId> {
        self.state().workers.values().find(|worker| worker.name == *name).map(|worker| worker.id)
    }

    /// A new registration ends older sessions of the worker.
    pub(crate) fn registered(&self, row: WorkerRow) {
        let mut state = self.state();
        state.workers.insert(row.id, row);
    }

    pub(crate) fn remember(&self, hash: [u8; 32], row: WorkerRow) {
        let mut state = self.state();
        state.sessions.retain(|_, worker| *worker != row.id);
        state.sessions.insert(hash, row.id);
        state.workers.insert(row.id, row);
    }

    pub(crate) fn session(&self, hash: &[u8; 32]) -> Option<WorkerRow> {
        let state = self.state();
        state.workers.get(state.sessions.get(hash)?).cloned()
    }

    pub(crate) fn seen(&self, worker: WorkerId, at: Timestamp) {
        let mut state = self.state();
        if let Some(row) = state.workers.get_mut(&worker) {
            row.last_seen = row.last_seen.max(at);
        }
        state.unwritten.insert(worker, at);
    }

    /// Notes whether a worker drains; answers whether that is new.
    pub(crate) fn set_draining(&self, worker: WorkerId, draining: bool) -> bool {
        match self.state().workers.get_mut(&worker) {
            Some(row) if row.draining != draining => {
                row.draining = draining;
                true
            }
            _ => false,
        }
    }

    /// Whether a worker takes steps: it is not gone and does not drain.
    pub(crate) fn takes_steps(&self, worker: WorkerId) -> bool {
        self.state().workers.get(&worker).is_some_and(|row| !row.draining)
    }

    pub(crate) fn gone(&self, worker: WorkerId, _at: Timestamp) {
        let mut state = self.state();
        state.workers.remove(&worker);
        state.unwritten.remove(&worker);
        state.sessions.retain(|_, known| *known != worker);
    }

    /// Workers that were last heard of before this time.
    pub(crate) fn silent_since(&self, before: Timestamp) -> Vec<WorkerRow> {
        self.state().workers.values().filter(|worker| worker.last_seen < before).cloned().collect()
    }

    /// The workers that are alive, by name.
    pub(crate) fn rows(&self) -> Vec<WorkerRow> {
        let mut rows: Vec<WorkerRow> = self.state().workers.values().cloned().collect();
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        rows
    }

    /// Tags of the workers that take steps.
    pub(crate) fn active(&self) -> Vec<(TagSet, bool)> {
        let state = self.state();
        let taking = state.workers.values().filter(|worker| !worker.draining);
        taking.map(|worker| (worker.tags.clone(), worker.exclusive)).collect()
    }

    /// Puts the newest sign of life into a stored row.
    pub(crate) fn freshen(&self, row: &mut WorkerRow) {
        if let Some(at) = self.state().unwritten.get(&row.id) {
            row.last_seen = row.last_seen.max(*at);
        }
    }

    /// Writes what is unwritten; whether there was anything.
    pub(crate) async fn flush(&self, store: &dyn Store) -> Result<bool, StoreError> {
        let unwritten: Vec<_> = self.state().unwritten.drain().collect();
        let any = !unwritten.is_empty();
        if any {
            store.seen(unwritten).await?;
        }
        Ok(any)
    }
}

/// Writes signs of life, many at once.
pub(crate) async fn serve(app: App) {
    loop {
        tokio::time::sleep(WRITE_EVERY).await;
        match app.inner.heartbeats.flush(app.inner.store.as_ref()).await {
            Ok(true) => app.inner.changes.note(Change::Workers),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "signs of life cannot be written"),
        }
    }
}
