//! Applies all events that wait for one job, in one commit. Sans IO: the store asks what to load next, loads it, and
//! writes the result; no IO happens here.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use serde_json::{Map, Value};
use stroem_core::Timestamp;
use stroem_workflow::{Plan, StepResult};

use crate::{
    changes::{AttemptChange, Changes, Effect},
    event::{Applied, Event, IllegalEvent},
    footprint::{Footprint, footprint},
    rows::{JobRow, Loaded, StepRow},
    transition::{Transition, create, step},
};

/// What the batch needs next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Rows to load and hand to [`Batch::provide`].
    Load(Footprint),
    /// All events are applied: take [`Batch::finish`].
    Done,
}

/// What a batch came to.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchResult {
    /// What to write, in one transaction.
    pub changes: Changes,
    /// What to tell others after it.
    pub effects: Vec<Effect>,
    /// One answer for each event of the batch, in order.
    pub answers: Vec<Result<Applied, IllegalEvent>>,
}

/// All events that wait for one job. See [`Batch::advance`].
#[derive(Debug, Clone)]
pub struct Batch {
    plan: Arc<Plan>,
    now: Timestamp,
    waiting: VecDeque<(Event, Origin)>,
    known: Footprint,
    rows: Option<Loaded>,
    changes: Changes,
    effects: Vec<Effect>,
    answers: Vec<Result<Applied, IllegalEvent>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Outside,
    Engine,
}

impl Batch {
    /// Events for a job that exists.
    pub fn new(plan: Arc<Plan>, events: Vec<Event>, now: Timestamp) -> Self {
        Self {
            plan,
            now,
            waiting: events.into_iter().map(|event| (event, Origin::Outside)).collect(),
            known: Footprint::default(),
            rows: None,
            changes: Changes::default(),
            effects: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// A new job: nothing needs to be loaded, [`Self::advance`] answers [`Progress::Done`] at once.
    pub fn create(plan: Arc<Plan>, job: JobRow, input: Map<String, Value>, now: Timestamp) -> Self {
        let (changes, events) = create(&plan, job);
        let job = changes.job.clone().expect("create gives the job's row");
        let timers = changes.timers_added.iter().map(|timer| Effect::TimerAdded { due_at: timer.due_at });
        let effects = timers.collect();
        let steps = changes.steps.clone();
        let known = Footprint {
            steps: steps.keys().copied().collect(),
            results: steps.keys().copied().collect(),
            open_steps: true,
            job_input: true,
        };
        let rows = Loaded { job, job_input: Some(input), steps, results: BTreeMap::new() };
        let waiting = events.into_iter().map(|event| (event, Origin::Engine)).collect();
        Self { plan, now, waiting, known, rows: Some(rows), changes, effects, answers: Vec::new() }
    }

    /// Applies events until rows are missing or none is left.
    pub fn advance(&mut self) -> Progress {
        while let Some((event, origin)) = self.waiting.front() {
            let needed = footprint(&self.plan, event);
            let Some(rows) = self.rows.as_ref().filter(|_| needed.is_within(&self.known)) else {
                return Progress::Load(self.missing(&needed));
            };
            let transition = step(&self.plan, rows, event, self.now);
            let origin = *origin;
            self.waiting.pop_front();
            if let Origin::Outside = origin {
                self.answers.push(transition.as_ref().map(|t| t.applied).map_err(Clone::clone));
            } else {
                debug_assert!(transition.is_ok(), "the engine's own events are legal: {transition:?}");
            }
            if let Ok(transition) = transition {
                self.absorb(transition);
            }
        }
        Progress::Done
    }

    /// Everything wanted by the next event, and by the events behind it, that is not loaded yet.
    fn missing(&self, needed: &Footprint) -> Footprint {
        let mut all = needed.clone();
        for (event, _) in self.waiting.iter().skip(1) {
            all.merge(&footprint(&self.plan, event));
        }
        Footprint {
            steps: all.steps.difference(&self.known.steps).copied().collect(),
            results: all.results.difference(&self.known.results).copied().collect(),
            open_steps: all.open_steps && !self.known.open_steps,
            job_input: all.job_input && !self.known.job_input,
        }
    }

    /// Takes the rows that [`Progress::Load`] asked for. Rows changed earlier in this batch keep their newer value.
    pub fn provide(&mut self, asked: &Footprint, mut loaded: Loaded) {
        self.known.merge(asked);
        match self.rows.as_mut() {
            None => {
                self.known.steps.extend(loaded.steps.keys());
                self.rows = Some(loaded);
            }
            Some(rows) => {
                for (index, row) in loaded.steps {
                    self.known.steps.insert(index);
                    rows.steps.entry(index).or_insert(row);
                }
                for (index, result) in std::mem::take(&mut loaded.results) {
                    rows.results.entry(index).or_insert(result);
                }
                if rows.job_input.is_none() {
                    rows.job_input = loaded.job_input;
                }
            }
        }
    }

    fn absorb(&mut self, transition: Transition) {
        let Transition { changes, effects, follow_ups, .. } = transition;
        let rows = self.rows.as_mut().expect("a transition had rows");
        if let Some(job) = &changes.job {
            rows.job = job.clone();
        }
        for (index, row) in &changes.steps {
            rows.steps.insert(*index, row.clone());
            // Results asked for later in this batch must be the new ones, also when the old one was loaded before.
            if row.status.is_terminal() {
                rows.results.insert(*index, result_of(row, changes.outputs.get(index)));
                self.known.results.insert(*index);
            }
        }
        self.effects.extend(effects);
        merge(&mut self.changes, changes);
        for event in follow_ups.into_iter().rev() {
            self.waiting.push_front((event, Origin::Engine));
        }
    }

    /// The result, after [`Self::advance`] answered [`Progress::Done`].
    ///
    /// # Panics
    /// When events are still waiting: the caller did not drive the batch to its end.
    pub fn finish(self) -> BatchResult {
        assert!(self.waiting.is_empty(), "the batch is driven to its end before it is finished");
        let mut effects = self.effects;
        keep_last_job_change(&mut effects);
        BatchResult { changes: self.changes, effects, answers: self.answers }
    }

    /// The plan that the batch follows.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The time at which its events are applied.
    pub fn now(&self) -> Timestamp {
        self.now
    }
}

fn result_of(row: &StepRow, output: Option<&Value>) -> StepResult {
    StepResult { status: row.status, output: output.cloned(), error: row.error.clone() }
}

/// Lays newer changes over older ones, so that one write of the result equals the writes one after the other.
fn merge(old: &mut Changes, new: Changes) {
    if new.job.is_some() {
        old.job = new.job;
    }
    old.steps.extend(new.steps);
    old.inputs.extend(new.inputs);
    old.outputs.extend(new.outputs);
    for step in new.dequeue {
        // A step that became ready in this very batch has no queue row to delete, but an older one may exist.
        old.enqueue.remove(&step);
        old.dequeue.push(step);
    }
    old.enqueue.extend(new.enqueue);
    for removed in &new.timers_removed {
        old.timers_added.retain(|timer| timer.key != *removed);
    }
    old.timers_removed.extend(new.timers_removed);
    old.timers_added.extend(new.timers_added);
    old.kills.retain(|kill| !new.released.contains(&kill.lease));
    old.kills.extend(new.kills);
    old.released.extend(new.released);
    for (step, attempt, change) in new.attempts {
        if change == AttemptChange::Removed {
            old.attempts.retain(|(s, a, _)| (*s, *a) != (step, attempt));
        }
        old.attempts.push((step, attempt, change));
    }
}

fn keep_last_job_change(effects: &mut Vec<Effect>) {
    let last = effects.iter().rposition(|effect| matches!(effect, Effect::JobChanged { .. }));
    let mut index = 0;
    effects.retain(|effect| {
        let keep = !matches!(effect, Effect::JobChanged { .. }) || Some(index) == last;
        index += 1;
        keep
    });
}
