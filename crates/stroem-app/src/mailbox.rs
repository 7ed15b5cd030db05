//! One mailbox per job: all events that wait for a job are applied in one commit, so that many steps ending at once
//! cost a few commits and never wait for each other's locks.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use lru::LruCache;
use stroem_core::{JobId, Timestamp};
use stroem_engine::{Applied, Batch, BatchResult, Effect, Event, IllegalEvent};
use stroem_store::{SharedStore, StoreError};
use stroem_workflow::Plan;
use tokio::sync::oneshot;

use crate::{clock::Clock, metrics::Metrics, tasks::Tasks};

const CACHED_PLANS: NonZeroUsize = NonZeroUsize::new(1_024).expect("not zero");

/// The answer to each event of a letter.
pub(crate) type Answers = Vec<Result<Applied, IllegalEvent>>;

struct Letter {
    events: Vec<Event>,
    reply: oneshot::Sender<Result<Answers, StoreError>>,
}

/// Takes what follows from a commit.
pub(crate) type Publish = Arc<dyn Fn(Vec<Effect>) + Send + Sync>;

/// What follows from a commit: others are told, and it is counted.
#[derive(Clone)]
pub(crate) struct Follow {
    pub(crate) publish: Publish,
    pub(crate) metrics: Arc<Metrics>,
}

/// All mailboxes.
#[derive(Clone)]
pub(crate) struct Mailboxes {
    store: SharedStore,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    follow: Follow,
    boxes: Arc<Mutex<HashMap<JobId, VecDeque<Letter>>>>,
    plans: Arc<Mutex<LruCache<JobId, Arc<Plan>>>>,
}

impl Mailboxes {
    pub(crate) fn new(store: SharedStore, clock: Arc<dyn Clock>, tasks: Tasks, follow: Follow) -> Self {
        let plans = Arc::new(Mutex::new(LruCache::new(CACHED_PLANS)));
        Self { store, clock, tasks, follow, boxes: Arc::default(), plans }
    }

    /// Applies events to a job and waits until they are durable.
    pub(crate) async fn send(&self, job: JobId, events: Vec<Event>) -> Result<Answers, StoreError> {
        let (reply, answer) = oneshot::channel();
        let letter = Letter { events, reply };
        let first = {
            let mut boxes = self.boxes.lock().unwrap_or_else(PoisonError::into_inner);
            match boxes.entry(job) {
                Entry::Occupied(mut waiting) => {
                    waiting.get_mut().push_back(letter);
                    None
                }
                Entry::Vacant(entry) => {
                    entry.insert(VecDeque::new());
                    Some(letter)
                }
            }
        };
        if let Some(letter) = first {
            // The commit must not end with the caller: a worker that hangs up has still reported.
            let mailboxes = self.clone();
            self.tasks.finish(async move { mailboxes.drain(job, letter).await });
        }
        answer.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the server is stopping".to_owned())))
    }

    /// The plan that a job follows.
    pub(crate) async fn plan(&self, job: JobId) -> Result<Arc<Plan>, StoreError> {
        if let Some(plan) = self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(&job) {
            return Ok(Arc::clone(plan));
        }
        let row = self.store.job(job).await?.ok_or(StoreError::NoSuchJob)?;
        let missing = || StoreError::Corrupt(format!("job {job} has no plan {}", row.plan));
        let plan = self.store.plan(row.plan).await?.ok_or_else(missing)?;
        self.remember(job, &plan);
        Ok(plan)
    }

    /// Notes the plan of a new job.
    pub(crate) fn remember(&self, job: JobId, plan: &Arc<Plan>) {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).put(job, Arc::clone(plan));
    }

    /// Counts a commit and tells others what follows from it.
    pub(crate) fn committed(&self, result: BatchResult, now: Timestamp) -> Answers {
        self.follow.metrics.committed(&result.changes, now);
        (self.follow.publish)(result.effects);
        result.answers
    }

    async fn drain(&self, job: JobId, first: Letter) {
        let mut letters = VecDeque::from([first]);
        loop {
            self.deliver(job, letters).await;
            let mut boxes = self.boxes.lock().unwrap_or_else(PoisonError::into_inner);
            letters = boxes.get_mut(&job).map(std::mem::take).unwrap_or_default();
            if letters.is_empty() {
                boxes.remove(&job);
                return;
            }
        }
    }

    async fn deliver(&self, job: JobId, letters: VecDeque<Letter>) {
        let (mut events, mut replies) = (Vec::new(), Vec::with_capacity(letters.len()));
        for letter in letters {
            replies.push((letter.events.len(), letter.reply));
            events.extend(letter.events);
        }
        match self.commit(job, events).await {
            Ok(mut answers) => {
                for (count, reply) in replies {
                    let rest = answers.split_off(count);
                    // A caller that went away needs no answer.
                    let _ = reply.send(Ok(std::mem::replace(&mut answers, rest)));
                }
            }
            Err(error) => {
                for (_, reply) in replies {
                    let _ = reply.send(Err(same_again(&error)));
                }
            }
        }
    }

    async fn commit(&self, job: JobId, events: Vec<Event>) -> Result<Answers, StoreError> {
        let plan = self.plan(job).await?;
        let now = self.clock.now();
        let committed = self.store.commit(job, Batch::new(plan, events, now)).await?;
        Ok(self.committed(committed.result, now))
    }
}

/// The same failure for each letter of a batch.
fn same_again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(text) => StoreError::Unavailable(text.clone()),
        StoreError::NoSuchJob => StoreError::NoSuchJob,
        StoreError::Corrupt(text) => StoreError::Corrupt(text.clone()),
        StoreError::Internal(text) => StoreError::Internal(text.clone()),
    }
}
