//! The hands of a transition: rows are copied on their first change, counters are kept, effects are noted.

use stroem_core::{AttemptNumber, JobStatus, LeaseKey, Outcome, StepStatus, Timestamp};
use stroem_workflow::{Plan, PlanStep};

use super::Transition;
use crate::{
    changes::{Changes, Effect, TimerKey, TimerKind, TimerRow},
    event::{Applied, Event, IllegalEvent},
    rows::{JobRow, JobStop, Loaded, QueueRow, StepRow},
};

/// A transition in the making.
pub(crate) struct Work<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) rows: &'a Loaded,
    pub(crate) now: Timestamp,
    pub(crate) changes: Changes,
    effects: Vec<Effect>,
    follow_ups: Vec<Event>,
}

impl<'a> Work<'a> {
    pub(crate) fn new(plan: &'a Plan, rows: &'a Loaded, now: Timestamp) -> Self {
        Self { plan, rows, now, changes: Changes::default(), effects: Vec::new(), follow_ups: Vec::new() }
    }

    pub(crate) fn job(&self) -> &JobRow {
        self.changes.job.as_ref().unwrap_or(&self.rows.job)
    }

    pub(crate) fn job_mut(&mut self) -> &mut JobRow {
        self.changes.job.get_or_insert_with(|| self.rows.job.clone())
    }

    /// The plan's step, when there is one of that index.
    pub(crate) fn plan_step(&self, step: u32) -> Result<&'a PlanStep, IllegalEvent> {
        self.plan.steps.get(step as usize).ok_or(IllegalEvent::NoSuchStep { step })
    }

    pub(crate) fn row(&self, step: u32) -> Result<&StepRow, IllegalEvent> {
        self.changes
            .steps
            .get(&step)
            .or_else(|| self.rows.steps.get(&step))
            .ok_or(IllegalEvent::NoSuchStep { step })
    }

    pub(crate) fn row_mut(&mut self, step: u32) -> Result<&mut StepRow, IllegalEvent> {
        if !self.changes.steps.contains_key(&step) {
            let row = self.rows.steps.get(&step).ok_or(IllegalEvent::NoSuchStep { step })?.clone();
            self.changes.steps.insert(step, row);
        }
        self.changes.steps.get_mut(&step).ok_or(IllegalEvent::NoSuchStep { step })
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(crate) fn follow_up(&mut self, event: Event) {
        self.follow_ups.push(event);
    }

    /// Whether the lease is the running one of its step.
    ///
    /// # Errors
    /// [`IllegalEvent::LeaseLost`] for an older lease.
    pub(crate) fn check_lease(&self, lease: LeaseKey) -> Result<LeaseState, IllegalEvent> {
        let row = self.row(lease.attempt.step)?;
        if row.attempt != lease.attempt.attempt || row.fence != Some(lease.fence) {
            return Err(IllegalEvent::LeaseLost { status: row.status });
        }
        Ok(if row.status == StepStatus::Running { LeaseState::Held } else { LeaseState::Over })
    }

    /// Puts a step in its queue.
    pub(crate) fn enqueue(
        &mut self,
        step: u32,
        avoid_worker: Option<stroem_core::WorkerId>,
    ) -> Result<(), IllegalEvent> {
        let tags = self.plan_step(step)?.required_tags.clone();
        let now = self.now;
        let row = self.row_mut(step)?;
        row.status = StepStatus::Ready;
        row.ready_at = Some(now);
        row.started_at = None;
        row.worker = None;
        let (job, priority) = (self.job().id, self.job().priority);
        self.changes.dequeue.retain(|dequeued| *dequeued != step);
        self.changes
            .enqueue
            .insert(step, QueueRow { job, step, tags: tags.clone(), priority, ready_at: now, avoid_worker });
        self.effect(Effect::Ready { tags });
        Ok(())
    }

    /// Ends a step and counts it; its dependents follow in their own event.
    pub(crate) fn end_step(&mut self, step: u32, end: StepEnd) -> Result<(), IllegalEvent> {
        let continue_on_failure = self.plan_step(step)?.continue_on_failure;
        let now = self.now;
        let row = self.row_mut(step)?;
        debug_assert!(!row.status.is_terminal(), "a step ends once");
        if row.status == StepStatus::Ready {
            self.changes.enqueue.remove(&step);
            self.changes.dequeue.push(step);
        }
        let row = self.row_mut(step)?;
        let status = end.status;
        row.status = status;
        row.completed_at = Some(now);
        row.outcome = end.outcome;
        row.error = end.error;
        let job = self.job_mut();
        job.open_steps -= 1;
        match status {
            StepStatus::Failed if !continue_on_failure => job.failed_steps += 1,
            StepStatus::Skipped => job.skipped_steps += 1,
            _ => {}
        }
        self.follow_up(Event::StepEnded { step });
        self.end_job_if_through();
        Ok(())
    }

    /// The lease of a running step is over.
    pub(crate) fn release(&mut self, lease: LeaseKey) -> Result<(), IllegalEvent> {
        let worker = self.row(lease.attempt.step)?.worker;
        self.changes.released.push(lease);
        self.changes.timers_removed.push(attempt_timer(lease));
        self.changes.timers_added.retain(|timer| timer.key != attempt_timer(lease));
        self.effect(Effect::Released { lease, worker });
        Ok(())
    }

    pub(crate) fn add_timer(&mut self, timer: TimerRow) {
        self.changes.timers_added.push(timer);
        self.effect(Effect::TimerAdded { due_at: timer.due_at });
    }

    fn end_job_if_through(&mut self) {
        if self.job().open_steps > 0 {
            return;
        }
        let total = u32::try_from(self.plan.steps.len()).expect("a plan has at most STEPS_PER_TASK steps");
        let now = self.now;
        let timer = job_timer(self.job().id);
        let job = self.job_mut();
        job.completed_at = Some(now);
        job.status = match job.stop {
            Some(JobStop::Cancelled) => JobStatus::Cancelled,
            Some(JobStop::TimedOut) => JobStatus::Failed,
            None if job.failed_steps > 0 => JobStatus::Failed,
            None if job.skipped_steps == total => JobStatus::Skipped,
            None => JobStatus::Completed,
        };
        self.changes.timers_removed.push(timer);
    }

    pub(crate) fn finish(mut self, applied: Applied) -> Transition {
        if applied == Applied::Changed {
            let job = self.job_mut();
            job.version += 1;
            let changed = Effect::JobChanged { job: job.id, status: job.status, version: job.version };
            self.effects.push(changed);
        }
        Transition { applied, changes: self.changes, effects: self.effects, follow_ups: self.follow_ups }
    }
}

/// Where a lease stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeaseState {
    /// It is the current lease of a running step.
    Held,
    /// It was the newest lease, and its attempt has ended.
    Over,
}

/// How a step ends.
pub(crate) struct StepEnd {
    pub(crate) status: StepStatus,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) error: Option<String>,
}

impl StepEnd {
    /// Ends with an outcome, its sentence as the error.
    pub(crate) fn with(status: StepStatus, outcome: Outcome) -> Self {
        let error = Some(outcome.to_string()).filter(|error| !error.is_empty());
        Self { status, outcome: Some(outcome), error }
    }

    /// Ends without having run.
    pub(crate) fn without_run(status: StepStatus, error: Option<String>) -> Self {
        Self { status, outcome: None, error }
    }
}

/// The timer of an attempt's backstop.
pub(crate) fn attempt_timer(lease: LeaseKey) -> TimerKey {
    TimerKey {
        job: lease.attempt.job,
        step: lease.attempt.step,
        attempt: lease.attempt.attempt,
        fence: lease.fence,
        kind: TimerKind::AttemptDeadline,
    }
}

/// The timer of a job's time limit.
pub(crate) fn job_timer(job: stroem_core::JobId) -> TimerKey {
    TimerKey {
        job,
        step: 0,
        attempt: AttemptNumber(0),
        fence: stroem_core::Fence(0),
        kind: TimerKind::JobDeadline,
    }
}
