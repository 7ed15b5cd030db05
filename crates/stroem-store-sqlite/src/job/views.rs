//! Jobs and steps as their pages show them.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde_json::{Map, Value};
use stroem_core::{Fence, JobId};
use stroem_store::{AttemptView, JobDetail, StepDetail, StepView};

use super::{
    load,
    rows::{job as job_row, read_step, step_columns},
};
use crate::{codec::Columns, failure::Outcome};

/// A job with its input and all steps.
pub(super) fn detail(connection: &Connection, id: JobId) -> Outcome<Option<JobDetail>> {
    let Some(job) = job_row(connection, id)? else { return Ok(None) };
    let input = load::input(connection, id)?;
    let mut data = all_data(connection, id)?;
    let mut attempts = all_attempts(connection, id)?;
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        step_columns!(),
        " FROM step WHERE job = ?1 ORDER BY step"
    ))?;
    let mut rows = statement.query([id.as_bytes()])?;
    let mut steps = Vec::new();
    while let Some(row) = rows.next()? {
        let row = read_step(&mut Columns::of(row))?;
        let data = data.remove(&row.step).unwrap_or_default();
        let attempts = attempts.remove(&row.step).unwrap_or_default();
        steps.push(StepView { row, input: data.input, output: data.output, attempts });
    }
    Ok(Some(JobDetail { job, input, steps }))
}

/// One step with its attempts.
pub(super) fn step(connection: &Connection, id: JobId, step: u32) -> Outcome<Option<StepDetail>> {
    let (Some(job), Some(row)) = (job_row(connection, id)?, load::step_row(connection, id, step)?) else {
        return Ok(None);
    };
    let data = one_data(connection, id, step)?;
    let attempts = one_attempts(connection, id, step)?;
    Ok(Some(StepDetail { job, step: StepView { row, input: data.input, output: data.output, attempts } }))
}

#[derive(Default)]
struct Data {
    input: Option<Map<String, Value>>,
    output: Option<Value>,
}

impl Data {
    fn read(columns: &mut Columns<'_, '_>) -> Outcome<Self> {
        Ok(Self { input: columns.json_if_any()?, output: columns.json_if_any()? })
    }
}

fn all_data(connection: &Connection, job: JobId) -> Outcome<BTreeMap<u32, Data>> {
    let mut statement =
        connection.prepare_cached("SELECT step, input, output FROM step_data WHERE job = ?1")?;
    let mut rows = statement.query([job.as_bytes()])?;
    let mut all = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let mut columns = Columns::of(row);
        all.insert(columns.value()?, Data::read(&mut columns)?);
    }
    Ok(all)
}

fn one_data(connection: &Connection, job: JobId, step: u32) -> Outcome<Data> {
    let mut statement =
        connection.prepare_cached("SELECT input, output FROM step_data WHERE job = ?1 AND step = ?2")?;
    let mut rows = statement.query((job.as_bytes(), step))?;
    rows.next()?.map_or_else(|| Ok(Data::default()), |row| Data::read(&mut Columns::of(row)))
}

/// The columns that [`read_attempt`] expects.
macro_rules! attempt_columns {
    () => {
        "attempt, fence, worker, ready_at, claimed_at, started_at, ended_at, outcome"
    };
}

fn all_attempts(connection: &Connection, job: JobId) -> Outcome<BTreeMap<u32, Vec<AttemptView>>> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT step, ",
        attempt_columns!(),
        " FROM attempt WHERE job = ?1 ORDER BY step, attempt"
    ))?;
    let mut rows = statement.query([job.as_bytes()])?;
    let mut all: BTreeMap<u32, Vec<AttemptView>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let mut columns = Columns::of(row);
        all.entry(columns.value()?).or_default().push(read_attempt(&mut columns)?);
    }
    Ok(all)
}

fn one_attempts(connection: &Connection, job: JobId, step: u32) -> Outcome<Vec<AttemptView>> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        attempt_columns!(),
        " FROM attempt WHERE job = ?1 AND step = ?2 ORDER BY attempt"
    ))?;
    let mut rows = statement.query((job.as_bytes(), step))?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read_attempt(&mut Columns::of(row))?);
    }
    Ok(all)
}

fn read_attempt(columns: &mut Columns<'_, '_>) -> Outcome<AttemptView> {
    Ok(AttemptView {
        attempt: columns.attempt()?,
        fence: Fence(columns.value()?),
        worker: columns.worker()?,
        ready_at: columns.time()?,
        claimed_at: columns.time()?,
        started_at: columns.time_if_any()?,
        ended_at: columns.time_if_any()?,
        outcome: columns.json_if_any()?,
    })
}
