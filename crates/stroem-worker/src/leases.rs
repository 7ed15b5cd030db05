//! The leases that the worker holds, from the claim until the server has the attempt's end. It must not know how
//! steps run or how reports travel.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use stroem_core::LeaseKey;
use stroem_runner::{StopReason, StopReceiver};
use tokio::sync::{Notify, watch};

/// Leases that were held last. A poll's answer that was overtaken may claim a step again that is over already.
const RECENT: usize = 4096;

/// Stops one attempt.
#[derive(Debug, Clone)]
pub(crate) struct Stopper(Arc<watch::Sender<Option<StopReason>>>);

impl Stopper {
    fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// The first reason counts, but a lost lease goes over all others: nobody waits for the end then.
    pub(crate) fn stop(&self, reason: StopReason) {
        self.0.send_if_modified(|known| {
            let counts = known.is_none() || (reason == StopReason::LeaseLost && *known != Some(reason));
            if counts {
                *known = Some(reason);
            }
            counts
        });
    }

    pub(crate) fn receiver(&self) -> StopReceiver {
        self.0.subscribe()
    }

    pub(crate) fn reason(&self) -> Option<StopReason> {
        *self.0.borrow()
    }
}

/// What a poll says about the worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holdings {
    pub(crate) held: Vec<LeaseKey>,
    pub(crate) stopping: Vec<LeaseKey>,
    pub(crate) free_slots: u32,
}

/// All leases of the worker.
#[derive(Debug)]
pub(crate) struct Leases {
    capacity: u32,
    state: Mutex<State>,
    /// A slot became free.
    freed: Notify,
    /// Something ended.
    ended: Notify,
}

#[derive(Debug, Default)]
struct State {
    held: HashMap<LeaseKey, Held>,
    recent: HashSet<LeaseKey>,
    recent_order: VecDeque<LeaseKey>,
}

#[derive(Debug)]
struct Held {
    stopper: Stopper,
    running: bool,
}

impl Leases {
    pub(crate) fn new(capacity: u32) -> Self {
        Self { capacity, state: Mutex::default(), freed: Notify::new(), ended: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a claimed lease; none when it is or was held: the claim was sent twice.
    pub(crate) fn take(&self, lease: LeaseKey) -> Option<Stopper> {
        let mut state = self.state();
        if state.held.contains_key(&lease) || state.recent.contains(&lease) {
            return None;
        }
        let stopper = Stopper::new();
        state.held.insert(lease, Held { stopper: stopper.clone(), running: true });
        Some(stopper)
    }

    /// Holds a lease whose attempt ended in an earlier process and whose end the server does not have.
    pub(crate) fn recover(&self, lease: LeaseKey) {
        self.state().held.insert(lease, Held { stopper: Stopper::new(), running: false });
    }

    /// Stops an attempt that runs; others end by themselves.
    pub(crate) fn stop(&self, lease: LeaseKey, reason: StopReason) {
        if let Some(held) = self.state().held.get(&lease).filter(|held| held.running) {
            held.stopper.stop(reason);
        }
    }

    /// Stops everything that runs.
    pub(crate) fn stop_all(&self, reason: StopReason) {
        for held in self.state().held.values().filter(|held| held.running) {
            held.stopper.stop(reason);
        }
    }

    /// The attempt is over here, its slot is free; the server may not know yet.
    pub(crate) fn over(&self, lease: LeaseKey) {
        if let Some(held) = self.state().held.get_mut(&lease) {
            held.running = false;
        }
        self.freed.notify_one();
        self.ended.notify_waiters();
    }

    /// The server has the end, or does not want it.
    pub(crate) fn release(&self, lease: LeaseKey) {
        let mut state = self.state();
        let Some(held) = state.held.remove(&lease) else { return };
        if state.recent.insert(lease) {
            state.recent_order.push_back(lease);
            if state.recent_order.len() > RECENT
                && let Some(oldest) = state.recent_order.pop_front()
            {
                state.recent.remove(&oldest);
            }
        }
        drop(state);
        if held.running {
            self.freed.notify_one();
            self.ended.notify_waiters();
        }
    }

    /// For a poll.
    pub(crate) fn holdings(&self) -> Holdings {
        let state = self.state();
        let going = |held: &Held| held.running && held.stopper.reason().is_none();
        let stopping = state.held.iter().filter(|(_, held)| !going(held)).map(|(lease, _)| *lease);
        Holdings {
            held: state.held.keys().copied().collect(),
            stopping: stopping.collect(),
            free_slots: self.capacity.saturating_sub(running(&state)),
        }
    }

    pub(crate) fn free_slots(&self) -> u32 {
        self.capacity.saturating_sub(running(&self.state()))
    }

    pub(crate) fn held(&self) -> Vec<LeaseKey> {
        self.state().held.keys().copied().collect()
    }

    /// Whether an attempt runs under this lease.
    pub(crate) fn is_running(&self, lease: LeaseKey) -> bool {
        self.state().held.get(&lease).is_some_and(|held| held.running)
    }

    /// Waits until a slot may have become free, or somebody called [`Self::wake_poll`].
    pub(crate) async fn slot_freed(&self) {
        self.freed.notified().await;
    }

    /// Waits until a slot is free.
    pub(crate) async fn a_slot_is_free(&self) {
        while self.free_slots() == 0 {
            self.slot_freed().await;
        }
    }

    /// Lets [`Self::slot_freed`] return.
    pub(crate) fn wake_poll(&self) {
        self.freed.notify_one();
    }

    /// Waits until nothing runs.
    pub(crate) async fn all_over(&self) {
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if running(&self.state()) == 0 {
                return;
            }
            ended.await;
        }
    }
}

fn running(state: &State) -> u32 {
    u32::try_from(state.held.values().filter(|held| held.running).count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use stroem_core::{AttemptKey, AttemptNumber, Fence, JobId};

    use super::*;

    fn lease(fence: i64) -> LeaseKey {
        let attempt = AttemptKey { job: JobId::from_bytes([1; 16]), step: 0, attempt: AttemptNumber(1) };
        LeaseKey { attempt, fence: Fence(fence) }
    }

    #[test]
    fn a_claim_that_comes_twice_is_taken_once() {
        let leases = Leases::new(2);
        assert!(leases.take(lease(1)).is_some());
        assert!(leases.take(lease(1)).is_none());
        leases.over(lease(1));
        leases.release(lease(1));
        assert!(leases.take(lease(1)).is_none(), "an overtaken answer must not run it again");
        assert!(leases.take(lease(2)).is_some());
    }

    #[test]
    fn a_slot_is_free_before_the_server_knows_of_the_end() {
        let leases = Leases::new(1);
        let _stopper = leases.take(lease(1));
        assert_eq!(leases.free_slots(), 0);
        leases.over(lease(1));
        let holdings = leases.holdings();
        assert_eq!(
            (holdings.free_slots, holdings.held, holdings.stopping),
            (1, vec![lease(1)], vec![lease(1)])
        );
        leases.release(lease(1));
        assert_eq!(leases.held(), []);
    }

    #[test]
    fn the_first_reason_counts_but_a_lost_lease_goes_over_it() {
        let leases = Leases::new(1);
        let stopper = leases.take(lease(1)).unwrap();
        leases.stop(lease(1), StopReason::Cancelled);
        leases.stop(lease(1), StopReason::Drain);
        assert_eq!(stopper.reason(), Some(StopReason::Cancelled));
        leases.stop(lease(1), StopReason::LeaseLost);
        assert_eq!(stopper.reason(), Some(StopReason::LeaseLost));
        assert_eq!(leases.holdings().stopping, [lease(1)]);
    }
}
