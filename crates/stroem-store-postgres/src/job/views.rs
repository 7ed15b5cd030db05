//! Jobs and steps as their pages show them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use stroem_core::{Fence, JobId};
use stroem_store::{AttemptView, JobDetail, StepDetail, StepView};

use super::{
    load,
    rows::{JOB, read_job, read_step, step_columns},
};
use crate::{
    codec::{Columns, uuid},
    connection::{Request, values},
    failure::Outcome,
    store::Inner,
};

/// The columns that [`read_attempt`] expects.
macro_rules! attempt_columns {
    () => {
        "step, attempt, fence, worker, ready_at, claimed_at, started_at, ended_at, outcome"
    };
}

/// A job with its input and all steps.
pub(super) async fn detail(inner: &Inner, id: JobId) -> Outcome<Option<JobDetail>> {
    let job = uuid(id.as_bytes());
    let steps = concat!("SELECT ", step_columns!(), " FROM step WHERE job = $1 ORDER BY step");
    let data = "SELECT step, input, output FROM step_data WHERE job = $1";
    let attempts =
        concat!("SELECT ", attempt_columns!(), " FROM attempt WHERE job = $1 ORDER BY step, attempt");
    let questions = [JOB, load::INPUT, steps, data, attempts];
    let answers =
        inner.snapshot(questions.into_iter().map(|sql| Request::new(sql, values![job])).collect()).await?;
    let Some(row) = answers[0].first() else { return Ok(None) };
    let job = read_job(&mut Columns::of(row))?;
    let input = load::read_input(id, &answers[1])?;
    let mut steps = BTreeMap::new();
    for row in &answers[2] {
        let row = read_step(&mut Columns::of(row))?;
        steps.insert(row.step, StepView { row, input: None, output: None, attempts: Vec::new() });
    }
    for row in &answers[3] {
        let (step, data) = read_data(&mut Columns::of(row))?;
        if let Some(view) = steps.get_mut(&step) {
            (view.input, view.output) = data;
        }
    }
    for row in &answers[4] {
        let (step, attempt) = read_attempt(&mut Columns::of(row))?;
        if let Some(view) = steps.get_mut(&step) {
            view.attempts.push(attempt);
        }
    }
    Ok(Some(JobDetail { job, input, steps: steps.into_values().collect() }))
}

/// One step with its attempts.
pub(super) async fn step(inner: &Inner, id: JobId, step: u32) -> Outcome<Option<StepDetail>> {
    let (job, number) = (uuid(id.as_bytes()), i64::from(step));
    let row = concat!("SELECT ", step_columns!(), " FROM step WHERE job = $1 AND step = $2");
    let data = "SELECT step, input, output FROM step_data WHERE job = $1 AND step = $2";
    let attempts =
        concat!("SELECT ", attempt_columns!(), " FROM attempt WHERE job = $1 AND step = $2 ORDER BY attempt");
    let mut questions = vec![Request::new(JOB, values![job])];
    questions.extend([row, data, attempts].map(|sql| Request::new(sql, values![job, number])));
    let answers = inner.snapshot(questions).await?;
    let (Some(job), Some(row)) = (answers[0].first(), answers[1].first()) else { return Ok(None) };
    let job = read_job(&mut Columns::of(job))?;
    let row = read_step(&mut Columns::of(row))?;
    let data = answers[2].first().map(|row| read_data(&mut Columns::of(row))).transpose()?;
    let (input, output) = data.map(|(_, data)| data).unwrap_or_default();
    let attempts = answers[3].iter().map(|row| Ok(read_attempt(&mut Columns::of(row))?.1));
    let attempts = attempts.collect::<Outcome<_>>()?;
    Ok(Some(StepDetail { job, step: StepView { row, input, output, attempts } }))
}

type Data = (Option<Map<String, Value>>, Option<Value>);

fn read_data(columns: &mut Columns<'_>) -> Outcome<(u32, Data)> {
    Ok((columns.small()?, (columns.json_if_any()?, columns.json_if_any()?)))
}

fn read_attempt(columns: &mut Columns<'_>) -> Outcome<(u32, AttemptView)> {
    let step = columns.small()?;
    let view = AttemptView {
        attempt: columns.attempt()?,
        fence: Fence(columns.value()?),
        worker: columns.worker()?,
        ready_at: columns.time()?,
        claimed_at: columns.time()?,
        started_at: columns.time_if_any()?,
        ended_at: columns.time_if_any()?,
        outcome: columns.json_if_any()?,
    };
    Ok((step, view))
}
