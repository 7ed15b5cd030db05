//! Fills a store with history: the rows of two jobs that a server really ran, under many ids.

use std::collections::BTreeMap;

use stroem_core::JobId;
use stroem_store::transfer::{Cell, Export, Import, Row, TABLES, Table};

/// How many there shall be of which job.
pub(crate) struct Copies {
    pub(crate) job: JobId,
    pub(crate) count: u64,
}

/// Rows that are written at once.
const BATCH: usize = 2_000;

/// Writes the copies of each job, and everything that belongs to no job once.
pub(crate) async fn multiply(from: &mut dyn Export, mut to: Box<dyn Import>, copies: &[Copies]) {
    for table in TABLES {
        let (own, rows) = read(from, table).await;
        let Some(place) = id_column(table) else {
            to.write(table, own).await.expect("writes");
            continue;
        };
        for (number, copy) in (0_u64..).zip(copies) {
            let template = rows.get(copy.job.as_bytes()).map(Vec::as_slice).unwrap_or_default();
            let mut batch = Vec::new();
            for index in 0..copy.count {
                for row in template {
                    let mut row = row.clone();
                    row[place] = Cell::Id(id(number, index));
                    batch.push(row);
                    if batch.len() == BATCH {
                        to.write(table, std::mem::take(&mut batch)).await.expect("writes");
                    }
                }
            }
            to.write(table, batch).await.expect("writes");
        }
    }
    let fence = from.last_fence().await.expect("reads");
    to.finish(fence).await.expect("writes");
}

/// All rows, or those of each job.
async fn read(from: &mut dyn Export, table: &'static Table) -> (Vec<Row>, BTreeMap<[u8; 16], Vec<Row>>) {
    from.open(table).await.expect("reads");
    let (mut own, mut by_job): (_, BTreeMap<_, Vec<Row>>) = (Vec::new(), BTreeMap::new());
    loop {
        let rows = from.next().await.expect("reads");
        if rows.is_empty() {
            return (own, by_job);
        }
        for row in rows {
            match id_column(table).map(|place| &row[place]) {
                Some(Cell::Id(job)) => by_job.entry(*job).or_default().push(row),
                _ => own.push(row),
            }
        }
    }
}

/// Where a table says of which job a row is.
fn id_column(table: &Table) -> Option<usize> {
    let name = if table.name == "job" { "id" } else { "job" };
    table.columns.iter().position(|column| column.name == name)
}

/// An id of the seventh version, as the first days of 2026 gave them.
fn id(template: u64, index: u64) -> [u8; 16] {
    let millis = 1_767_225_600_000 + index;
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    bytes[6] = 0x70;
    bytes[8] = 0x80;
    bytes[9..].copy_from_slice(&(index << 8 | template).to_be_bytes()[1..]);
    bytes
}
