//! Threads that read one file, each with its own connection. Reads never wait for the writer.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use rusqlite::Connection;
use stroem_store::StoreError;
use tokio::sync::oneshot;

use crate::{connection, counters::Counters, failure::Outcome};

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// The handle of the reading threads. Dropping it joins them; reads that still wait are not done.
pub(crate) struct Readers {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
    counters: Arc<Counters>,
}

impl Readers {
    pub(crate) fn start(
        name: &str,
        file: &Path,
        threads: usize,
        cache_kib: u32,
        counters: &Arc<Counters>,
    ) -> Result<Self, StoreError> {
        let mut readers = Self {
            queue: Arc::default(),
            threads: Vec::with_capacity(threads),
            counters: Arc::clone(counters),
        };
        for number in 0..threads {
            let connection = connection::reading(file, cache_kib)?;
            let queue = Arc::clone(&readers.queue);
            let thread = thread::Builder::new()
                .name(format!("{name}-{number}"))
                .spawn(move || {
                    while let Some(read) = queue.take() {
                        read(&connection);
                    }
                })
                .map_err(|error| StoreError::Unavailable(format!("no thread for a reader: {error}")))?;
            readers.threads.push(thread);
        }
        Ok(readers)
    }

    /// Runs a read on the next free connection.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let read = move |connection: &Connection| {
            if reply.is_closed() {
                return;
            }
            let result = match catch_unwind(AssertUnwindSafe(|| work(connection))) {
                Ok(result) => result.map_err(StoreError::from),
                Err(_) => Err(StoreError::Internal("a read panicked".to_owned())),
            };
            let _ = reply.send(result);
        };
        self.counters.read();
        self.queue.put(Box::new(read));
        answer.await.map_err(|_| StoreError::Unavailable("the store is closed".to_owned()))?
    }

    /// Runs a read that asks several questions about one and the same state.
    pub(crate) async fn snapshot<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    {
        self.run(move |connection| {
            // Dropped without a commit, it is rolled back: nothing was written.
            let transaction = connection.unchecked_transaction()?;
            work(&transaction)
        })
        .await
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a reading thread of the store panicked");
            }
        }
    }
}

#[derive(Default)]
struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    reads: VecDeque<Read>,
    closed: bool,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, read: Read) {
        self.state().reads.push_back(read);
        self.changed.notify_one();
    }

    fn take(&self) -> Option<Read> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            if let Some(read) = state.reads.pop_front() {
                return Some(read);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.reads.clear();
        self.changed.notify_all();
    }
}
