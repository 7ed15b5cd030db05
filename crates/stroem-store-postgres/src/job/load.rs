//! Loads the rows of a footprint, and counts them.
//!
//! A commit asks for its rows together with the job's lock, before the batch can say what it will need once its first
//! events are applied. So it also asks for what is likely: the dependents of the steps, and where those may become
//! ready, the results that their templates refer to. The database itself decides the latter by the dependents' counters,
//! so that a step that waits for thousands does not have thousands of results read at each of their ends.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value};
use stroem_core::JobId;
use stroem_engine::{Footprint, JobRow, Loaded, StepRow};
use stroem_workflow::{Plan, PlanStep, StepResult};
use tokio_postgres::Row;
use uuid::Uuid;

use super::rows::{read_step, step_columns};
use crate::{
    codec::{Columns, uuid},
    connection::{Request, values},
    failure::{Failure, Outcome},
};

/// At most so many dependents, and references of theirs, are asked for before they are known to be needed.
pub(super) const GUESS_MAX: usize = 256;

/// Asks for a job's input.
pub(super) const INPUT: &str = "SELECT input FROM job_input WHERE job = $1";

const STEPS: &str =
    concat!("SELECT ", step_columns!(), " FROM step WHERE job = $1 AND step = ANY ($2::bigint[])");
const OPEN_STEPS: &str = concat!("SELECT ", step_columns!(), " FROM step WHERE job = $1 AND status < 4");
const RESULTS: &str = "SELECT s.step, s.status, s.error, d.output FROM step s \
     LEFT JOIN step_data d ON d.job = s.job AND d.step = s.step WHERE s.job = $1 AND s.step = ANY ($2::bigint[])";
/// Results that are needed if a pending step (`gate`) waits for no more than so many steps.
const LIKELY_RESULTS: &str = "SELECT s.step, s.status, s.error, d.output \
     FROM (SELECT DISTINCT g.step FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS g(gate, unmet, step) \
     JOIN step t ON t.job = $1 AND t.step = g.gate AND t.status = 0 AND t.unmet_deps <= g.unmet) AS wanted \
     JOIN step s ON s.job = $1 AND s.step = wanted.step \
     LEFT JOIN step_data d ON d.job = s.job AND d.step = s.step";
const LIKELY_INPUT: &str = "SELECT input FROM job_input WHERE job = $1 AND EXISTS ( \
     SELECT 1 FROM unnest($2::bigint[], $3::bigint[]) AS g(gate, unmet) \
     JOIN step t ON t.job = $1 AND t.step = g.gate AND t.status = 0 AND t.unmet_deps <= g.unmet)";

/// What is asked for, and what is likely to be asked for next.
#[derive(Default)]
pub(super) struct Wanted {
    footprint: Footprint,
    /// Steps that may become ready, the number of their dependencies that may end now, and results they refer to.
    gates: Vec<(u32, u32, Vec<u32>)>,
    /// Of those, the ones that need the job's input.
    input_gates: Vec<(u32, u32)>,
}

impl Wanted {
    /// Exactly a footprint.
    pub(super) fn exactly(footprint: &Footprint) -> Self {
        Self { footprint: footprint.clone(), ..Self::default() }
    }

    /// A footprint, and what follows if its steps end.
    pub(super) fn with_what_follows(plan: &Plan, footprint: &Footprint) -> Self {
        let mut wanted = Self::exactly(footprint);
        let mut ending: BTreeMap<u32, u32> = BTreeMap::new();
        for step in footprint.steps.iter().filter(|step| (**step as usize) < plan.steps.len()) {
            for dependent in &plan.step(*step).dependents {
                *ending.entry(*dependent).or_default() += 1;
            }
        }
        let mut guessed = ending.len();
        if guessed > GUESS_MAX {
            return wanted;
        }
        wanted.footprint.steps.extend(ending.keys());
        for (dependent, unmet) in ending {
            let step = plan.step(dependent);
            guessed += step.references.len();
            if !step.references.is_empty() && guessed <= GUESS_MAX {
                wanted.gates.push((dependent, unmet, step.references.clone()));
            }
            if needs_input(step) {
                wanted.input_gates.push((dependent, unmet));
            }
        }
        wanted
    }

    /// A footprint, and what follows if one decision leads to the next, as when a failure runs down a chain: all steps
    /// behind its steps with what they refer to, up to so many.
    pub(super) fn with_all_behind(plan: &Plan, footprint: &Footprint, most: usize) -> Self {
        let mut wanted = Self::exactly(footprint);
        let known = |step: &u32| (*step as usize) < plan.steps.len();
        let mut waiting: VecDeque<u32> = footprint.steps.iter().copied().filter(known).collect();
        let mut rows = 0;
        while let Some(number) = waiting.pop_front().filter(|_| rows < most) {
            let step = plan.step(number);
            rows += 1 + step.references.len();
            wanted.footprint.results.extend(&step.references);
            wanted.footprint.job_input |= needs_input(step);
            let new = step.dependents.iter().filter(|dependent| wanted.footprint.steps.insert(**dependent));
            waiting.extend(new);
        }
        wanted
    }

    /// The requests, in an order that [`Found::take`] knows.
    pub(super) fn requests(&self, job: JobId) -> Vec<Request<'static>> {
        let job = uuid(job.as_bytes());
        let mut requests = Vec::new();
        let footprint = &self.footprint;
        if !footprint.steps.is_empty() {
            requests.push(Request::new(STEPS, values![job, numbers(footprint.steps.iter())]));
        }
        if footprint.open_steps {
            requests.push(Request::new(OPEN_STEPS, values![job]));
        }
        if !footprint.results.is_empty() {
            requests.push(Request::new(RESULTS, values![job, numbers(footprint.results.iter())]));
        }
        if !self.gates.is_empty() {
            requests.push(self.likely_results(job));
        }
        if footprint.job_input {
            requests.push(Request::new(INPUT, values![job]));
        } else if !self.input_gates.is_empty() {
            let gates = numbers(self.input_gates.iter().map(|(gate, _)| gate));
            let unmet = numbers(self.input_gates.iter().map(|(_, unmet)| unmet));
            requests.push(Request::new(LIKELY_INPUT, values![job, gates, unmet]));
        }
        requests
    }

    fn likely_results(&self, job: Uuid) -> Request<'static> {
        let (mut gates, mut unmets, mut steps) = (Vec::new(), Vec::new(), Vec::new());
        for (gate, unmet, references) in &self.gates {
            for step in references {
                gates.push(i64::from(*gate));
                unmets.push(i64::from(*unmet));
                steps.push(i64::from(*step));
            }
        }
        Request::new(LIKELY_RESULTS, values![job, gates, unmets, steps])
    }
}

fn needs_input(step: &PlanStep) -> bool {
    step.when.is_some() || !step.input.is_empty() || !step.action.input.is_empty()
}

fn numbers<'a>(steps: impl Iterator<Item = &'a u32>) -> Vec<i64> {
    steps.map(|step| i64::from(*step)).collect()
}

/// What was found so far of one job.
#[derive(Default)]
pub(super) struct Found {
    steps: BTreeMap<u32, StepRow>,
    /// Also steps that were asked for and do not exist.
    asked_steps: BTreeSet<u32>,
    open_steps: bool,
    results: BTreeMap<u32, StepResult>,
    asked_results: BTreeSet<u32>,
    input: Option<Map<String, Value>>,
}

impl Found {
    /// Takes the answers to the requests of `wanted`.
    pub(super) fn take(&mut self, job: JobId, wanted: &Wanted, answers: &[Vec<Row>]) -> Outcome<()> {
        let mut answers = answers.iter();
        let missing = || Failure::internal("a request has no answer");
        let footprint = &wanted.footprint;
        if !footprint.steps.is_empty() {
            self.take_steps(answers.next().ok_or_else(missing)?)?;
            self.asked_steps.extend(&footprint.steps);
        }
        if footprint.open_steps {
            self.take_steps(answers.next().ok_or_else(missing)?)?;
            self.open_steps = true;
        }
        if !footprint.results.is_empty() {
            self.take_results(answers.next().ok_or_else(missing)?)?;
            self.asked_results.extend(&footprint.results);
        }
        if !wanted.gates.is_empty() {
            self.take_results(answers.next().ok_or_else(missing)?)?;
        }
        if footprint.job_input {
            self.input = Some(read_input(job, answers.next().ok_or_else(missing)?)?);
        } else if !wanted.input_gates.is_empty() {
            let rows = answers.next().ok_or_else(missing)?;
            if !rows.is_empty() {
                self.input = Some(read_input(job, rows)?);
            }
        }
        Ok(())
    }

    fn take_steps(&mut self, rows: &[Row]) -> Outcome<()> {
        for row in rows {
            let row = read_step(&mut Columns::of(row))?;
            self.steps.insert(row.step, row);
        }
        Ok(())
    }

    fn take_results(&mut self, rows: &[Row]) -> Outcome<()> {
        for row in rows {
            let mut columns = Columns::of(row);
            let (step, status, error) = (columns.small()?, columns.step_status()?, columns.value()?);
            self.results.insert(step, StepResult { status, output: columns.json_if_any()?, error });
        }
        Ok(())
    }

    /// The rows of a footprint and how many they are besides the job's own; none while some have not been asked for.
    pub(super) fn give(&self, job: &JobRow, footprint: &Footprint) -> Option<(Loaded, u64)> {
        let known = footprint.steps.is_subset(&self.asked_steps)
            && (!footprint.open_steps || self.open_steps)
            && footprint
                .results
                .iter()
                .all(|step| self.results.contains_key(step) || self.asked_results.contains(step))
            && (!footprint.job_input || self.input.is_some());
        if !known {
            return None;
        }
        let wanted = |row: &&StepRow| {
            footprint.steps.contains(&row.step) || (footprint.open_steps && !row.status.is_terminal())
        };
        let steps: BTreeMap<_, _> =
            self.steps.values().filter(wanted).map(|row| (row.step, row.clone())).collect();
        let results: BTreeMap<_, _> = footprint
            .results
            .iter()
            .filter_map(|step| Some((*step, self.results.get(step)?.clone())))
            .collect();
        let job_input = footprint.job_input.then(|| self.input.clone()).flatten();
        let read = steps.len() + results.len() + usize::from(job_input.is_some());
        Some((Loaded { job: job.clone(), job_input, steps, results }, read as u64))
    }
}

/// A job's input as it is stored.
pub(super) fn read_input(job: JobId, rows: &[Row]) -> Outcome<Map<String, Value>> {
    let missing = || Failure::corrupt(format!("job {job} has no input"));
    let row = rows.first().ok_or_else(missing)?;
    Columns::of(row).text(|text| serde_json::from_str(text))
}
