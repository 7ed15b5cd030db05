//! Loads the rows of a footprint, and counts them.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde_json::{Map, Value};
use stroem_core::{JobId, StepStatus};
use stroem_engine::{Footprint, JobRow, Loaded, StepRow};
use stroem_workflow::StepResult;

use super::rows::{read_step, step_columns};
use crate::{
    codec::Columns,
    failure::{Failure, Outcome},
};

/// The rows of a footprint besides the job's own, and how many they are.
pub(super) fn load(connection: &Connection, job: JobRow, footprint: &Footprint) -> Outcome<(Loaded, u64)> {
    let id = job.id;
    let mut steps = BTreeMap::new();
    for step in &footprint.steps {
        if let Some(row) = step_row(connection, id, *step)? {
            steps.insert(*step, row);
        }
    }
    if footprint.open_steps {
        open_steps(connection, id, &mut steps)?;
    }
    let mut results = BTreeMap::new();
    for step in &footprint.results {
        if let Some(result) = result(connection, id, *step)? {
            results.insert(*step, result);
        }
    }
    let job_input = if footprint.job_input { Some(input(connection, id)?) } else { None };
    let read = steps.len() + results.len() + usize::from(job_input.is_some());
    Ok((Loaded { job, job_input, steps, results }, read as u64))
}

pub(super) fn step_row(connection: &Connection, job: JobId, step: u32) -> Outcome<Option<StepRow>> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        step_columns!(),
        " FROM step WHERE job = ?1 AND step = ?2"
    ))?;
    let mut rows = statement.query((job.as_bytes(), step))?;
    rows.next()?.map(|row| read_step(&mut Columns::of(row))).transpose()
}

fn open_steps(connection: &Connection, job: JobId, steps: &mut BTreeMap<u32, StepRow>) -> Outcome<()> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        step_columns!(),
        " FROM step INDEXED BY step_open WHERE job = ?1 AND status < 4 ORDER BY step"
    ))?;
    let mut rows = statement.query([job.as_bytes()])?;
    while let Some(row) = rows.next()? {
        let row = read_step(&mut Columns::of(row))?;
        steps.insert(row.step, row);
    }
    Ok(())
}

fn result(connection: &Connection, job: JobId, step: u32) -> Outcome<Option<StepResult>> {
    let mut statement = connection.prepare_cached(
        "SELECT s.status, s.error, d.output FROM step s LEFT JOIN step_data d ON d.job = s.job AND d.step = s.step \
         WHERE s.job = ?1 AND s.step = ?2",
    )?;
    let mut rows = statement.query((job.as_bytes(), step))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let mut columns = Columns::of(row);
    let (status, error): (StepStatus, _) = (columns.step_status()?, columns.value()?);
    Ok(Some(StepResult { status, output: columns.json_if_any()?, error }))
}

/// A job's input as it is stored.
pub(super) fn input(connection: &Connection, job: JobId) -> Outcome<Map<String, Value>> {
    let mut statement = connection.prepare_cached("SELECT input FROM job_input WHERE job = ?1")?;
    let mut rows = statement.query([job.as_bytes()])?;
    let missing = || Failure::corrupt(format!("job {job} has no input"));
    let row = rows.next()?.ok_or_else(missing)?;
    Columns::of(row).text(|text| serde_json::from_str(text))
}
