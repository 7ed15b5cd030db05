//! The order of a copy, on stores in memory.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use super::*;

type Rows = BTreeMap<&'static str, Vec<Row>>;

struct Source {
    rows: Rows,
    open: Vec<Row>,
}

struct Target {
    rows: Rows,
    loses: Option<&'static str>,
    finished: Arc<Mutex<Option<(Rows, i64)>>>,
}

#[async_trait]
impl Export for Source {
    async fn count(&mut self, table: &'static Table) -> Result<u64, StoreError> {
        Ok(self.rows.get(table.name).map_or(0, |rows| rows.len() as u64))
    }

    async fn open(&mut self, table: &'static Table) -> Result<(), StoreError> {
        self.open = self.rows.get(table.name).cloned().unwrap_or_default();
        Ok(())
    }

    async fn next(&mut self) -> Result<Vec<Row>, StoreError> {
        let batch = self.open.len().min(2);
        Ok(self.open.drain(..batch).collect())
    }

    async fn last_fence(&mut self) -> Result<i64, StoreError> {
        Ok(7)
    }
}

#[async_trait]
impl Import for Target {
    async fn count(&mut self, table: &'static Table) -> Result<u64, StoreError> {
        Ok(self.rows.get(table.name).map_or(0, |rows| rows.len() as u64))
    }

    async fn write(&mut self, table: &'static Table, mut rows: Vec<Row>) -> Result<(), StoreError> {
        if self.loses == Some(table.name) {
            rows.pop();
        }
        self.rows.entry(table.name).or_default().extend(rows);
        Ok(())
    }

    async fn finish(self: Box<Self>, last_fence: i64) -> Result<(), StoreError> {
        *self.finished.lock().expect("whole") = Some((self.rows, last_fence));
        Ok(())
    }
}

fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}

fn keys(count: i64) -> Rows {
    let row = |id| vec![Cell::Integer(id), Cell::Text(format!("tag-{id}"))];
    BTreeMap::from([("queue_key", (0..count).map(row).collect())])
}

type Finished = Option<(Rows, i64)>;

fn run(source: Rows, target: Rows, loses: Option<&'static str>) -> (Result<u64, String>, Finished, u64) {
    let finished = Arc::default();
    let mut from = Source { rows: source, open: Vec::new() };
    let to = Target { rows: target, loses, finished: Arc::clone(&finished) };
    let seen = Mutex::new(0);
    let result = now(copy(&mut from, Box::new(to), &|progress| {
        *seen.lock().expect("whole") = progress.rows;
    }));
    let result = result.map(|copied| copied.iter().map(|table| table.rows).sum());
    let finished = finished.lock().expect("whole").take();
    (result.map_err(|error| error.to_string()), finished, seen.into_inner().expect("whole"))
}

#[test]
fn every_row_is_copied_in_batches_and_the_fence_goes_on() {
    assert_eq!(run(keys(5), Rows::new(), None), (Ok(5), Some((keys(5), 7)), 5));
}

#[test]
fn a_target_that_is_not_empty_stays_as_it_is() {
    let (result, finished, seen) = run(keys(5), keys(1), None);
    assert_eq!(result, Err("the target is not empty: its table `queue_key` has 1 row(s)".to_owned()));
    assert_eq!((finished, seen), (None, 0));
}

#[test]
fn a_lost_row_ends_the_copy_before_it_is_visible() {
    let (result, finished, _) = run(keys(5), Rows::new(), Some("queue_key"));
    assert_eq!(
        result,
        Err("the table `queue_key` has 5 row(s) in the source, and 2 in the target".to_owned())
    );
    assert_eq!(finished, None);
}
