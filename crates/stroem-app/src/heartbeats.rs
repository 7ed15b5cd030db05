//! Signs of life, kept in memory and written together every few seconds.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use stroem_core::{TagSet, Timestamp, WorkerId, WorkerName};
use stroem_store::{Store, StoreError, WorkerRow};

use crate::{App, Change};

/// How often signs of life are written, at the least.
const WRITE_EVERY: Duration = Duration::from_secs(5);
/// Into how many parts the time-out is cut at the least: another server judges by what is written.
const WRITES_PER_TIMEOUT: u32 = 6;

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

/// What the store says of workers that was not known here.
#[derive(Debug, Default)]
pub(crate) struct Review {
    /// They are gone.
    pub(crate) gone: Vec<WorkerId>,
    /// Another instance or session of them registered elsewhere.
    pub(crate) replaced: Vec<WorkerId>,
    /// They drain or take steps again.
    pub(crate) draining: Vec<(WorkerId, bool)>,
    /// Whether there was anything of this, or somebody new.
    pub(crate) is_news: bool,
}

impl Heartbeats {
    pub(crate) fn load(workers: Vec<WorkerRow>) -> Self {
        let alive = workers.into_iter().filter(|worker| worker.gone_at.is_none());
        let workers = alive.map(|worker| (worker.id, worker));
        Self { state: Mutex::new(State { workers: workers.collect(), ..State::default() }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn by_name(&self, name: &WorkerName) -> Option<WorkerRow> {
        self.state().workers.values().find(|worker| worker.name == *name).cloned()
    }

    /// Takes in what the store says, where other servers write too. What is older than what is known here says nothing: it
    /// was read before this server wrote.
    pub(crate) fn review(&self, rows: &[WorkerRow]) -> Review {
        let mut state = self.state();
        let mut review = Review::default();
        let mut alive = HashSet::new();
        for row in rows {
            let known = state.workers.get(&row.id);
            if known.is_some_and(|known| known.registered_at > row.registered_at) {
                alive.insert(row.id);
                continue;
            }
            if row.gone_at.is_some() {
                continue;
            }
            alive.insert(row.id);
            let mut row = row.clone();
            match known {
                None => review.is_news = true,
                Some(known) if known.registered_at < row.registered_at => {
                    review.replaced.push(row.id);
                }
                Some(known) => {
                    if known.draining != row.draining {
                        review.draining.push((row.id, row.draining));
                    }
                    row.last_seen = row.last_seen.max(known.last_seen);
                }
            }
            state.workers.insert(row.id, row);
        }
        review.gone = state.workers.keys().filter(|worker| !alive.contains(worker)).copied().collect();
        let over: HashSet<WorkerId> = review.gone.iter().chain(&review.replaced).copied().collect();
        review.gone.iter().for_each(|worker| drop(state.workers.remove(worker)));
        state.unwritten.retain(|worker, _| !over.contains(worker));
        state.sessions.retain(|_, worker| !over.contains(worker));
        review.is_news |= !over.is_empty() || !review.draining.is_empty();
        review
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

    pub(crate) fn gone(&self, worker: WorkerId) {
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
        if unwritten.is_empty() {
            return Ok(false);
        }
        let written = store.seen(unwritten.clone()).await;
        if written.is_err() {
            let mut state = self.state();
            for (worker, at) in unwritten {
                let known = state.unwritten.entry(worker).or_insert(at);
                *known = at.max(*known);
            }
        }
        written.map(|()| true)
    }
}

/// Writes signs of life, many at once.
pub(crate) async fn serve(app: App) {
    let every = WRITE_EVERY.min(app.inner.options.heartbeat_timeout / WRITES_PER_TIMEOUT);
    loop {
        tokio::time::sleep(every).await;
        match app.inner.heartbeats.flush(app.inner.store.as_ref()).await {
            Ok(true) => app.inner.changes.note(Change::Workers),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "signs of life cannot be written"),
        }
    }
}

#[cfg(test)]
mod tests {
    use stroem_core::InstanceId;

    use super::*;

    fn row(number: u8, registered_at: i64) -> WorkerRow {
        WorkerRow {
            id: WorkerId::from_bytes([number; 16]),
            name: format!("w{number}").parse().expect("a name"),
            instance: InstanceId::from_bytes([number; 16]),
            tags: TagSet::default(),
            withdrawn: Vec::new(),
            exclusive: false,
            capacity: 1,
            version: String::new(),
            registered_at: Timestamp::from_micros(registered_at),
            last_seen: Timestamp::from_micros(registered_at),
            draining: false,
            gone_at: None,
        }
    }

    fn gone(row: WorkerRow) -> WorkerRow {
        WorkerRow { gone_at: Some(Timestamp::from_micros(99)), ..row }
    }

    #[test]
    fn what_other_servers_did_to_workers_is_taken_in() {
        let heartbeats = Heartbeats::load(vec![row(1, 1), row(2, 1), row(3, 1), row(4, 5)]);
        heartbeats.remember([2; 32], row(2, 1));
        heartbeats.seen(row(3, 1).id, Timestamp::from_micros(50));
        let drains = WorkerRow { draining: true, ..row(3, 1) };
        let review = heartbeats.review(&[gone(row(1, 1)), row(2, 7), drains, gone(row(4, 2)), row(5, 8)]);
        assert_eq!(review.gone, [row(1, 1).id]);
        assert_eq!(review.replaced, [row(2, 7).id]);
        assert_eq!(review.draining, [(row(3, 1).id, true)]);
        assert_eq!(heartbeats.session(&[2; 32]), None, "its session is over");
        let names: Vec<String> = heartbeats.rows().iter().map(|row| row.name.to_string()).collect();
        assert_eq!(names, ["w2", "w3", "w4", "w5"], "what is known of w4 is newer");
        assert_eq!(heartbeats.rows()[1].last_seen, Timestamp::from_micros(50), "it was heard of here");
    }

    #[test]
    fn nothing_new_is_no_news() {
        let heartbeats = Heartbeats::load(vec![row(1, 1)]);
        assert!(!heartbeats.review(&[row(1, 1), gone(row(2, 1))]).is_news);
    }
}
