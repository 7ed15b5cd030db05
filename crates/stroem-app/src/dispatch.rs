//! Which worker waits for what. A ready step wakes one waiting worker that can take it; everything else is found by
//! asking the store.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use stroem_core::{JobStatus, LeaseKey, TagSet, WorkerId};
use stroem_store::{ClaimRequest, LeaseRow, WorkerRow};
use tokio::sync::Notify;

use crate::{App, AppError, Change, ClaimedStep, replicas::LOOK_AGAIN};

/// What a worker holds and wants.
#[derive(Debug, Clone)]
pub struct PollWish {
    /// Leases that it holds.
    pub held: Vec<LeaseKey>,
    /// Those of them that it is stopping already.
    pub stopping: Vec<LeaseKey>,
    /// How many more steps it can take.
    pub free_slots: u32,
    /// Platforms whose running attempts it can take over.
    pub scopes: Vec<String>,
    /// How long to wait when there is nothing to say.
    pub wait: Duration,
}

/// What a worker is told.
#[derive(Debug, Default)]
pub struct PollAnswer {
    /// Steps to run.
    pub claims: Vec<ClaimedStep>,
    /// Leases whose attempts are to be stopped.
    pub kills: Vec<LeaseRow>,
    /// Leases that are over.
    pub lost: Vec<LeaseKey>,
}

impl PollAnswer {
    fn is_empty(&self) -> bool {
        self.claims.is_empty() && self.kills.is_empty() && self.lost.is_empty()
    }
}

/// Waiting workers and known queues. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Dispatch {
    state: Arc<Mutex<State>>,
}

struct State {
    keys: BTreeSet<TagSet>,
    waiters: HashMap<WorkerId, Waiter>,
    next_poll: u64,
}

struct Waiter {
    poll: u64,
    tags: TagSet,
    exclusive: bool,
    free_slots: u32,
    /// Ready steps that this waiter was woken for and has not looked for yet.
    woken_for: u32,
    /// It takes no steps now.
    draining: bool,
    notify: Arc<Notify>,
    /// Ended by a newer poll of the same worker.
    superseded: Arc<Notify>,
}

impl Waiter {
    fn is_free(&self) -> bool {
        self.free_slots > 0 && !self.draining
    }
}

impl Dispatch {
    pub(crate) fn new() -> Self {
        let state = State { keys: BTreeSet::new(), waiters: HashMap::new(), next_poll: 0 };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues that exist.
    pub(crate) fn know(&self, keys: impl IntoIterator<Item = TagSet>) {
        self.state().keys.extend(keys);
    }

    /// Queues that are known.
    pub(crate) fn keys(&self) -> Vec<TagSet> {
        self.state().keys.iter().cloned().collect()
    }

    /// A step became ready: wakes one worker with a free slot that nobody has woken it for yet, and answers whether there
    /// was one. When there is none, all are busy, and each looks for itself when it has a slot again.
    pub(crate) fn ready(&self, key: &TagSet) -> bool {
        let mut state = self.state();
        if !state.keys.contains(key) {
            state.keys.insert(key.clone());
        }
        let can = |waiter: &&mut Waiter| {
            !waiter.draining
                && waiter.woken_for < waiter.free_slots
                && waiter.tags.may_claim(waiter.exclusive, key)
        };
        let freest =
            state.waiters.values_mut().filter(can).max_by_key(|waiter| waiter.free_slots - waiter.woken_for);
        if let Some(waiter) = freest {
            waiter.woken_for += 1;
            waiter.notify.notify_one();
            return true;
        }
        false
    }

    /// There are ready steps of which it is not known how many: wakes all who could take one.
    pub(crate) fn wake_all(&self, key: &TagSet) {
        let mut state = self.state();
        state.keys.insert(key.clone());
        for waiter in state.waiters.values().filter(|waiter| waiter.is_free()) {
            if waiter.tags.may_claim(waiter.exclusive, key) {
                waiter.notify.notify_one();
            }
        }
    }

    /// Whether anybody waits for steps.
    pub(crate) fn is_anybody_free(&self) -> bool {
        self.state().waiters.values().any(Waiter::is_free)
    }

    /// All should look again.
    pub(crate) fn nudge_all(&self) {
        self.state().waiters.values().for_each(|waiter| waiter.notify.notify_one());
    }

    /// A worker should look again.
    pub(crate) fn nudge(&self, worker: WorkerId) {
        if let Some(waiter) = self.state().waiters.get(&worker) {
            waiter.notify.notify_one();
        }
    }

    /// A worker takes no more steps, or takes steps again and looks for some.
    pub(crate) fn set_draining(&self, worker: WorkerId, draining: bool) {
        if let Some(waiter) = self.state().waiters.get_mut(&worker) {
            waiter.draining = draining;
            waiter.notify.notify_one();
        }
    }

    /// A worker is gone: its poll, whose connection may stay open for long, gets nothing any more.
    pub(crate) fn expel(&self, worker: WorkerId) {
        if let Some(waiter) = self.state().waiters.remove(&worker) {
            waiter.superseded.notify_one();
        }
    }

    /// Whether a worker has a poll open.
    pub(crate) fn is_polling(&self, worker: WorkerId) -> bool {
        self.state().waiters.contains_key(&worker)
    }

    fn enter(&self, worker: &WorkerRow, free_slots: u32, draining: bool) -> Waiting {
        let mut state = self.state();
        state.next_poll += 1;
        let (poll, notify, superseded) = (state.next_poll, Arc::new(Notify::new()), Arc::new(Notify::new()));
        let waiter = Waiter {
            poll,
            tags: worker.tags.clone(),
            exclusive: worker.exclusive,
            free_slots,
            woken_for: 0,
            draining,
            notify: Arc::clone(&notify),
            superseded: Arc::clone(&superseded),
        };
        if let Some(older) = state.waiters.insert(worker.id, waiter) {
            older.superseded.notify_one();
        }
        Waiting { dispatch: self.clone(), worker: worker.id, poll, notify, superseded }
    }

    fn looked(&self, worker: WorkerId, poll: u64) {
        if let Some(waiter) = self.state().waiters.get_mut(&worker).filter(|waiter| waiter.poll == poll) {
            waiter.woken_for = 0;
        }
    }
}

/// A poll that is open. Dropping it, also by a lost connection, takes the worker out and passes its wake-ups on.
struct Waiting {
    dispatch: Dispatch,
    worker: WorkerId,
    poll: u64,
    notify: Arc<Notify>,
    superseded: Arc<Notify>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let left = {
            let mut state = self.dispatch.state();
            let own = state.waiters.get(&self.worker).is_some_and(|waiter| waiter.poll == self.poll);
            if own { state.waiters.remove(&self.worker) } else { None }
        };
        if left.is_some_and(|waiter| waiter.woken_for > 0) {
            // It was woken and did not look: others look instead.
            for waiter in self.dispatch.state().waiters.values() {
                waiter.notify.notify_one();
            }
        }
    }
}

impl App {
    /// Answers a worker's poll when there is something to say, or when its time is over.
    ///
    /// # Errors
    /// [`AppError::Store`].
    pub async fn poll(&self, worker: &WorkerRow, wish: &PollWish) -> Result<PollAnswer, AppError> {
        let draining = !self.inner.heartbeats.takes_steps(worker.id);
        let waiting = self.inner.dispatch.enter(worker, wish.free_slots, draining);
        self.inner.heartbeats.seen(worker.id, self.now());
        let deadline = tokio::time::sleep(wish.wait);
        tokio::pin!(deadline);
        // What another server had to tell of these leases may have been lost with it.
        let looks_again = self.inner.replicas.is_shared() && !wish.held.is_empty();
        loop {
            self.inner.dispatch.looked(worker.id, waiting.poll);
            let answer = self.look(worker, wish).await?;
            if !answer.is_empty() {
                return Ok(answer);
            }
            tokio::select! {
                () = waiting.notify.notified() => {}
                () = waiting.superseded.notified() => return Ok(PollAnswer::default()),
                () = self.stopping().cancelled() => return Ok(PollAnswer::default()),
                () = tokio::time::sleep(LOOK_AGAIN), if looks_again => {}
                () = &mut deadline => return Ok(PollAnswer::default()),
            }
        }
    }

    async fn look(&self, worker: &WorkerRow, wish: &PollWish) -> Result<PollAnswer, AppError> {
        let mut answer = PollAnswer::default();
        let leases = self.inner.store.leases(worker.id).await?;
        for held in wish.held.iter().filter(|held| !wish.stopping.contains(held)) {
            match leases.iter().find(|lease| lease.lease == *held) {
                None => answer.lost.push(*held),
                Some(lease) if lease.kill.is_some() => answer.kills.push(lease.clone()),
                Some(_) => {}
            }
        }
        let unheard = leases.iter().filter(|row| row.offered_at.is_none() && !wish.held.contains(&row.lease));
        for row in unheard {
            // Claims whose reply was lost use up slots that the worker believes to be free. One that runs was an
            // adoption.
            answer.claims.extend(self.claimed_step(row.lease, row.runtime.clone()).await?);
        }
        answer.claims.extend(self.adopt(worker, wish).await?);
        loop {
            let taken = u32::try_from(answer.claims.len()).unwrap_or(u32::MAX);
            let fresh = self.claim(worker, wish.free_slots.saturating_sub(taken)).await?;
            let claimed = fresh.len();
            let mut rendered = 0;
            for lease in fresh {
                let step = self.claimed_step(lease, None).await?;
                if let Some(step) = &step {
                    rendered += 1;
                    self.inner.metrics.claimed(step.ready_at, self.now());
                }
                answer.claims.extend(step);
            }
            // A claimed step that cannot be rendered has ended and left its slot free: others may wait for it.
            if rendered == claimed {
                return Ok(answer);
            }
        }
    }

    async fn claim(&self, worker: &WorkerRow, free_slots: u32) -> Result<Vec<LeaseKey>, AppError> {
        let dispatch = &self.inner.dispatch;
        let keys: Vec<TagSet> =
            dispatch.keys().into_iter().filter(|key| worker.tags.may_claim(worker.exclusive, key)).collect();
        if free_slots == 0 || keys.is_empty() || !self.inner.heartbeats.takes_steps(worker.id) {
            return Ok(Vec::new());
        }
        let request = ClaimRequest { worker: worker.id, keys, limit: free_slots, now: self.now() };
        let (app, id) = (self.clone(), worker.id);
        let (sender, receiver) = tokio::sync::oneshot::channel();
        // The claim is durable even if the worker hangs up now: then its next poll must be told.
        self.inner.tasks.finish(async move {
            let claims = app.inner.store.claim(request).await;
            if let Ok(claims) = &claims {
                for claim in claims {
                    let job = claim.lease.attempt.job;
                    app.inner.hub.notify(job);
                    let (status, version) = (JobStatus::Running, claim.job_version);
                    app.inner.changes.note(Change::Job { job, status, version });
                }
            }
            if sender.send(claims).is_err() {
                app.inner.dispatch.nudge(id);
            }
        });
        let unavailable = || stroem_store::StoreError::Unavailable("the server is stopping".to_owned());
        let claims = receiver.await.map_err(|_| unavailable())??;
        Ok(claims.into_iter().map(|claim| claim.lease).collect())
    }
}
