//! The thread that writes one file: everything that waits becomes one commit.
//!
//! It must not know what the operations do. Each runs in a savepoint, is undone when it fails or panics, and is answered
//! after the commit that made it durable.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{self, JoinHandle},
};

use rusqlite::Connection;
use stroem_store::StoreError;
use tokio::sync::{mpsc, oneshot};

use crate::{
    counters::Counters,
    failure::{Failure, Outcome},
};

/// Operations that may wait; whoever brings one more waits outside.
const QUEUE_LENGTH: usize = 1_024;
/// Operations that share one commit at most.
const GROUP_SIZE: usize = 256;

/// The handle of a writer thread. Dropping it lets the thread finish what waits, and joins it.
pub(crate) struct Writer {
    operations: Option<mpsc::Sender<Box<dyn Operation>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start(
        name: &str,
        connection: Connection,
        counters: Arc<Counters>,
    ) -> Result<Self, StoreError> {
        let (operations, waiting) = mpsc::channel(QUEUE_LENGTH);
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || serve(&connection, waiting, &counters))
            .map_err(|error| StoreError::Unavailable(format!("no thread for the writer: {error}")))?;
        Ok(Self { operations: Some(operations), thread: Some(thread) })
    }

    /// Runs an operation in the next commit; answers when that is durable.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let operation = Pending { work: Some(work), result: None, reply };
        let operations = self.operations.as_ref().ok_or_else(stopped)?;
        operations.send(Box::new(operation)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.operations = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer thread of the store panicked");
        }
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}

trait Operation: Send {
    /// Does the work. Answers whether it may stay.
    fn run(&mut self, connection: &Connection) -> bool;

    /// Tells the caller, with the error of the commit when that failed.
    fn answer(self: Box<Self>, commit: Result<(), String>);
}

struct Pending<T, F> {
    work: Option<F>,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Operation for Pending<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Outcome<T> + Send,
{
    fn run(&mut self, connection: &Connection) -> bool {
        let Some(work) = self.work.take() else { return false };
        let result = match catch_unwind(AssertUnwindSafe(|| work(connection))) {
            Ok(result) => result.map_err(StoreError::from),
            Err(_) => Err(StoreError::Internal("an operation panicked".to_owned())),
        };
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn answer(self: Box<Self>, commit: Result<(), String>) {
        let result = match (self.result, commit) {
            (Some(Err(error)), _) => Err(error),
            (_, Err(text)) => Err(StoreError::Unavailable(text)),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(stopped()),
        };
        // A caller that went away needs no answer.
        let _ = self.reply.send(result);
    }
}

fn serve(connection: &Connection, mut waiting: mpsc::Receiver<Box<dyn Operation>>, counters: &Counters) {
    while let Some(first) = waiting.blocking_recv() {
        let mut done = Vec::new();
        let commit = group(connection, first, &mut waiting, &mut done, counters);
        let commit = commit.map_err(|failure| StoreError::from(failure).to_string());
        if let Err(error) = &commit {
            tracing::error!(error, operations = done.len(), "a commit of the store failed");
            if !connection.is_autocommit()
                && let Err(error) = connection.execute_batch("ROLLBACK")
            {
                tracing::error!(%error, "a failed commit cannot be rolled back");
            }
        }
        for operation in done {
            operation.answer(commit.clone());
        }
    }
}

/// Runs `first` and all that arrive meanwhile in one transaction. Everything that was taken is in `done` afterwards.
fn group(
    connection: &Connection,
    first: Box<dyn Operation>,
    waiting: &mut mpsc::Receiver<Box<dyn Operation>>,
    done: &mut Vec<Box<dyn Operation>>,
    counters: &Counters,
) -> Outcome<()> {
    let begun = execute(connection, "BEGIN IMMEDIATE");
    if begun.is_err() {
        done.push(first);
        return begun;
    }
    let (mut next, mut wrote) = (Some(first), 0);
    while let Some(mut operation) = next {
        let result = one(connection, operation.as_mut());
        done.push(operation);
        wrote += u64::from(result?);
        next = if done.len() < GROUP_SIZE { waiting.try_recv().ok() } else { None };
    }
    execute(connection, "COMMIT")?;
    if wrote > 0 {
        counters.committed(wrote);
    }
    Ok(())
}

/// Runs one operation in a savepoint. Answers whether it wrote something; an error sinks the whole transaction.
fn one(connection: &Connection, operation: &mut dyn Operation) -> Outcome<bool> {
    execute(connection, "SAVEPOINT operation")?;
    let before = connection.total_changes();
    let keep = operation.run(connection);
    if connection.is_autocommit() {
        // The database itself gave up the transaction, as it does when the disk is full.
        return Err(Failure::Store(StoreError::Unavailable("the database rolled back".to_owned())));
    }
    if !keep {
        execute(connection, "ROLLBACK TO operation")?;
    }
    execute(connection, "RELEASE operation")?;
    Ok(keep && connection.total_changes() > before)
}

fn execute(connection: &Connection, sql: &str) -> Outcome<()> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc as blocking;

    use super::*;

    fn writer() -> (Writer, Arc<Counters>) {
        let connection = Connection::open_in_memory().expect("opens");
        connection.execute_batch("CREATE TABLE number (value INTEGER NOT NULL UNIQUE)").expect("creates");
        let counters = Arc::new(Counters::default());
        (Writer::start("test-writer", connection, Arc::clone(&counters)).expect("starts"), counters)
    }

    fn insert(connection: &Connection, value: i64) -> Outcome<()> {
        connection.execute("INSERT INTO number (value) VALUES (?1)", [value])?;
        Ok(())
    }

    async fn numbers(writer: &Writer) -> Vec<i64> {
        let read = |connection: &Connection| {
            let mut statement = connection.prepare("SELECT value FROM number ORDER BY value")?;
            let values = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            Ok(values)
        };
        writer.run(read).await.expect("reads")
    }

    #[tokio::test]
    async fn operations_that_fail_or_panic_are_undone_alone() {
        let (writer, counters) = writer();
        let (release, held) = blocking::channel::<()>();
        // Holds the writer until all others wait, so that they are one group.
        let gate = writer.run(move |_| {
            held.recv().expect("released");
            Ok(())
        });
        let good = writer.run(|connection| insert(connection, 1));
        let failing = writer.run(|connection| insert(connection, 2).and_then(|()| insert(connection, 2)));
        let panicking = writer.run(|connection| {
            insert(connection, 3)?;
            panic!("a defect")
        });
        let last = writer.run(|connection| insert(connection, 4));
        let let_go = async { release.send(()).expect("waits") };
        let (gate, good, failing, panicking, last, ()) =
            tokio::join!(biased; gate, good, failing, panicking, last, let_go);
        assert!(gate.is_ok() && good.is_ok() && last.is_ok());
        assert!(matches!(failing, Err(StoreError::Internal(_))), "{failing:?}");
        let panicking: Result<(), StoreError> = panicking;
        assert!(matches!(panicking, Err(StoreError::Internal(_))), "{panicking:?}");
        assert_eq!(numbers(&writer).await, [1, 4]);
        let statistics = counters.snapshot();
        assert_eq!((statistics.commits, statistics.operations), (1, 2));
    }

    #[tokio::test]
    async fn a_transaction_that_the_database_gave_up_fails_as_a_whole() {
        let (writer, counters) = writer();
        let broken = writer.run(|connection| {
            insert(connection, 1)?;
            connection.execute_batch("ROLLBACK")?;
            Ok(())
        });
        assert!(matches!(broken.await, Err(StoreError::Unavailable(_))));
        writer.run(|connection| insert(connection, 2)).await.expect("goes on");
        assert_eq!(numbers(&writer).await, [2]);
        assert_eq!(counters.snapshot().commits, 1);
    }

    #[tokio::test]
    async fn dropping_the_writer_finishes_what_waits() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("numbers.db");
        let connection = Connection::open(&file).expect("opens");
        connection.execute_batch("CREATE TABLE number (value INTEGER NOT NULL UNIQUE)").expect("creates");
        let writer = Writer::start("test-writer", connection, Arc::default()).expect("starts");
        tokio::select! {
            biased;
            _ = async { tokio::join!(writer.run(|c| insert(c, 1)), writer.run(|c| insert(c, 2))) } => {}
            () = std::future::ready(()) => {}
        }
        drop(writer);
        let count =
            Connection::open(&file)
                .expect("opens")
                .query_row("SELECT count(*) FROM number", [], |row| row.get(0));
        assert_eq!(count, Ok(2));
    }
}
