//! Who watches which job. A notification is a hint: the watcher reads the truth from the store.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use stroem_core::JobId;
use tokio::sync::watch;

/// Hands out subscriptions to jobs and wakes them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hub {
    watched: Arc<Mutex<HashMap<JobId, watch::Sender<u64>>>>,
    /// After this time a watcher looks without having been woken: other servers' notifications can be lost.
    look_again: Option<Duration>,
}

impl Hub {
    pub(crate) fn new(look_again: Option<Duration>) -> Self {
        Self { watched: Arc::default(), look_again }
    }

    /// Subscribes before looking, so that nothing is missed between a look and the wait.
    pub(crate) fn subscribe(&self, job: JobId) -> JobSubscription {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = watched.entry(job).or_insert_with(|| watch::channel(0).0).subscribe();
        JobSubscription { job, receiver: Some(receiver), hub: self.clone() }
    }

    /// Anything may have changed.
    pub(crate) fn notify_all(&self) {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.values().for_each(|sender| sender.send_modify(|count| *count += 1));
    }

    /// Something about the job changed: its state or its log.
    pub(crate) fn notify(&self, job: JobId) {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = watched.get(&job) {
            sender.send_modify(|count| *count += 1);
        }
    }
}

/// Wakes when something about a job changed. Forgotten by the hub when the last one of a job is dropped.
#[derive(Debug)]
pub struct JobSubscription {
    job: JobId,
    receiver: Option<watch::Receiver<u64>>,
    hub: Hub,
}

impl JobSubscription {
    /// Waits for the next change since the last call, or since the subscription. With other servers on the store it ends
    /// now and then without a change.
    pub async fn changed(&mut self) {
        let Some(receiver) = &mut self.receiver else { return };
        // The sender lives as long as a receiver does; and whether it changed or not, who waits here looks.
        match self.hub.look_again {
            Some(look_again) => drop(tokio::time::timeout(look_again, receiver.changed()).await),
            None => drop(receiver.changed().await),
        }
    }
}

impl Drop for JobSubscription {
    fn drop(&mut self) {
        let mut watched = self.hub.watched.lock().unwrap_or_else(PoisonError::into_inner);
        self.receiver = None;
        if watched.get(&self.job).is_some_and(|sender| sender.receiver_count() == 0) {
            watched.remove(&self.job);
        }
    }
}
