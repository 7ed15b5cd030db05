//! What changed lately, for pages that show lists: hints with a place in a short memory, so that a page which comes
//! back continues where it was. A hint never holds the truth, only what to ask for again.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use stroem_core::{JobId, JobStatus};
use tokio::sync::watch;

/// Hints that are remembered. Whoever was away for longer is told to ask for everything again.
const REMEMBERED: usize = 4_096;

/// Something that a page may show changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A job was created or changed.
    Job {
        /// The job.
        job: JobId,
        /// Its state in the engine.
        status: JobStatus,
        /// Its version.
        version: i64,
    },
    /// A worker came, went, drains, or was heard of.
    Workers,
    /// A workspace has a new revision.
    Workspaces,
}

/// A place in the stream of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Which memory: another server, or the same one started again, has another.
    pub memory: i64,
    /// How many changes were before it.
    pub seq: u64,
}

/// The changes after a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// The changes, oldest first; none when the place is not remembered.
    pub changes: Option<Vec<Change>>,
    /// The place after them.
    pub next: Place,
}

/// The memory. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Changes {
    state: Arc<Mutex<State>>,
    newest: watch::Sender<u64>,
    memory: i64,
}

#[derive(Debug, Default)]
struct State {
    /// How many changes were forgotten.
    before: u64,
    kept: VecDeque<Change>,
}

impl Changes {
    pub(crate) fn new(memory: i64) -> Self {
        Self { state: Arc::default(), newest: watch::channel(0).0, memory }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note(&self, change: Change) {
        let mut state = self.state();
        if state.kept.len() == REMEMBERED {
            state.kept.pop_front();
            state.before += 1;
        }
        state.kept.push_back(change);
        self.newest.send_replace(state.before + state.kept.len() as u64);
    }

    /// Something happened that is not known here: whoever follows is told to ask for everything again.
    pub(crate) fn forget(&self) {
        let mut state = self.state();
        state.before += state.kept.len() as u64 + 1;
        state.kept.clear();
        self.newest.send_replace(state.before);
    }

    fn since(&self, place: Place) -> Since {
        let state = self.state();
        let end = state.before + state.kept.len() as u64;
        let next = Place { memory: self.memory, seq: end };
        if place.memory != self.memory || place.seq < state.before || place.seq > end {
            return Since { changes: None, next };
        }
        let skip = usize::try_from(place.seq - state.before).unwrap_or(usize::MAX);
        Since { changes: Some(state.kept.iter().skip(skip).copied().collect()), next }
    }
}

/// Follows the changes.
#[derive(Debug)]
pub struct ChangeWatch {
    changes: Changes,
    newest: watch::Receiver<u64>,
}

impl ChangeWatch {
    /// What changed after a place.
    pub fn since(&mut self, place: Place) -> Since {
        self.newest.mark_unchanged();
        self.changes.since(place)
    }

    /// The place after everything that happened.
    pub fn now(&self) -> Place {
        Place { memory: self.changes.memory, seq: *self.newest.borrow() }
    }

    /// Waits until something changed after the last look.
    pub async fn changed(&mut self) {
        // The sender is held by this watch, so it never goes away.
        let _ = self.newest.changed().await;
    }
}

impl crate::App {
    /// Follows changes of jobs, workers and workspaces.
    pub fn watch_changes(&self) -> ChangeWatch {
        let changes = self.inner.changes.clone();
        let newest = changes.newest.subscribe();
        ChangeWatch { changes, newest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(changes: &Changes) -> ChangeWatch {
        ChangeWatch { changes: changes.clone(), newest: changes.newest.subscribe() }
    }

    #[test]
    fn a_watcher_continues_where_it_was() {
        let changes = Changes::new(7);
        let mut watch = watch(&changes);
        let start = watch.now();
        changes.note(Change::Workers);
        let first = watch.since(start);
        assert_eq!(first.changes, Some(vec![Change::Workers]));
        changes.note(Change::Workspaces);
        assert_eq!(watch.since(first.next).changes, Some(vec![Change::Workspaces]));
    }

    #[test]
    fn after_something_unknown_everything_is_asked_for_once() {
        let changes = Changes::new(7);
        let mut watch = watch(&changes);
        changes.note(Change::Workers);
        let before = watch.now();
        changes.forget();
        let told = watch.since(before);
        assert_eq!(told.changes, None);
        assert_eq!(watch.since(told.next).changes, Some(vec![]));
    }

    #[test]
    fn what_is_not_remembered_is_told_so() {
        let changes = Changes::new(7);
        let mut watch = watch(&changes);
        let start = watch.now();
        for _ in 0..=REMEMBERED {
            changes.note(Change::Workers);
        }
        assert_eq!(watch.since(start).changes, None);
        let now = watch.now();
        assert_eq!(watch.since(now).changes, Some(vec![]));
        assert_eq!(watch.since(Place { memory: 6, ..now }).changes, None);
        assert_eq!(watch.since(Place { seq: now.seq + 1, ..now }).changes, None);
    }
}
