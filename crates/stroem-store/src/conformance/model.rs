//! The reference: jobs, queue, leases and timers in plain maps, as the contract has them. It drives the same engine.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use stroem_core::{
    AttemptKey, AttemptNumber, Fence, JobId, JobStatus, LeaseKey, StepStatus, Timestamp, WorkerId,
};
use stroem_engine::{
    AttemptChange, Batch, BatchResult, Changes, Footprint, JobRow, Loaded, Progress, QueueRow, StepRow,
    TimerKey, TimerRow,
};
use stroem_workflow::StepResult;

use super::support::JobShape;
use crate::{AttemptView, Claim, ClaimRequest, JobDetail, LeaseRow, StepView};

/// All jobs.
#[derive(Debug, Default)]
pub struct Model {
    jobs: BTreeMap<JobId, Job>,
    queue: BTreeMap<(JobId, u32), QueueRow>,
    leases: BTreeMap<Fence, LeaseRow>,
    timers: BTreeMap<TimerKey, Timestamp>,
    last_fence: Option<Fence>,
}

#[derive(Debug)]
struct Job {
    row: JobRow,
    input: Map<String, Value>,
    steps: BTreeMap<u32, StepRow>,
    inputs: BTreeMap<u32, Map<String, Value>>,
    outputs: BTreeMap<u32, Value>,
    attempts: BTreeMap<(u32, AttemptNumber), AttemptView>,
}

impl Model {
    /// Creates a job.
    ///
    /// # Panics
    /// When the engine asks for rows of a job that does not exist yet.
    pub fn create(&mut self, shape: &JobShape) -> BatchResult {
        let mut batch = shape.new_job().batch;
        assert_eq!(batch.advance(), Progress::Done, "a new job needs no rows");
        let result = batch.finish();
        let job = Job {
            row: result.changes.job.clone().expect("a new job has a row"),
            input: shape.input.clone(),
            steps: BTreeMap::new(),
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            attempts: BTreeMap::new(),
        };
        self.jobs.insert(shape.id(), job);
        self.write(shape.id(), &result.changes);
        result
    }

    /// Applies a batch; answers also how many rows it read.
    pub fn commit(&mut self, id: JobId, mut batch: Batch) -> (BatchResult, u64) {
        let mut rows_read = 1;
        while let Progress::Load(footprint) = batch.advance() {
            let loaded = self.load(id, &footprint);
            let input = usize::from(loaded.job_input.is_some());
            rows_read += (loaded.steps.len() + loaded.results.len() + input) as u64;
            batch.provide(&footprint, loaded);
        }
        let result = batch.finish();
        self.write(id, &result.changes);
        (result, rows_read)
    }

    /// The rows of a footprint.
    pub fn load(&self, id: JobId, footprint: &Footprint) -> Loaded {
        let job = &self.jobs[&id];
        let wanted = |row: &StepRow| {
            footprint.steps.contains(&row.step) || (footprint.open_steps && !row.status.is_terminal())
        };
        let result = |step: &u32| StepResult {
            status: job.steps[step].status,
            output: job.outputs.get(step).cloned(),
            error: job.steps[step].error.clone(),
        };
        Loaded {
            job: job.row.clone(),
            job_input: footprint.job_input.then(|| job.input.clone()),
            steps: job.steps.values().filter(|row| wanted(row)).map(|row| (row.step, row.clone())).collect(),
            results: footprint.results.iter().map(|step| (*step, result(step))).collect(),
        }
    }

    fn write(&mut self, id: JobId, changes: &Changes) {
        let job = self.jobs.get_mut(&id).expect("the job exists");
        if let Some(row) = &changes.job {
            job.row = row.clone();
        }
        job.steps.extend(changes.steps.clone());
        job.inputs.extend(changes.inputs.clone());
        job.outputs.extend(changes.outputs.clone());
        for (step, attempt, change) in &changes.attempts {
            let key = (*step, *attempt);
            let view = job.attempts.get_mut(&key).expect("a changed attempt was claimed");
            match change {
                AttemptChange::Started { at } => view.started_at = Some(*at),
                AttemptChange::Ended { at, outcome } => {
                    (view.ended_at, view.outcome) = (Some(*at), Some(outcome.clone()));
                }
                AttemptChange::Removed => drop(job.attempts.remove(&key)),
            }
        }
        let ended = job.row.status.is_terminal();
        for step in &changes.dequeue {
            self.queue.remove(&(id, *step));
        }
        self.queue.extend(changes.enqueue.values().map(|row| ((id, row.step), row.clone())));
        for kill in &changes.kills {
            if let Some(lease) = self.leases.get_mut(&kill.lease.fence) {
                lease.kill = Some(kill.reason);
            }
        }
        for lease in &changes.released {
            self.leases.remove(&lease.fence);
        }
        for key in &changes.timers_removed {
            self.timers.remove(key);
        }
        self.timers.extend(changes.timers_added.iter().map(|timer| (timer.key, timer.due_at)));
        self.timers.retain(|key, _| !(ended && key.job == id));
    }

    /// Takes over what a store claimed, if it is what had to be claimed.
    ///
    /// # Panics
    /// When the store claimed something else.
    pub fn claim(&mut self, request: &ClaimRequest, claims: &[Claim]) {
        let free = |row: &&QueueRow| {
            let is_avoided =
                row.avoid_worker == Some(request.worker) && row.ready_at > request.avoids_until();
            request.keys.contains(&row.tags) && !is_avoided
        };
        let mut ready: Vec<QueueRow> = self.queue.values().filter(free).cloned().collect();
        ready.sort_by_key(|row| (std::cmp::Reverse(row.priority), row.ready_at, row.job, row.step));
        ready.truncate(request.limit as usize);
        let expected: Vec<_> = ready.iter().map(|row| (row.job, row.step)).collect();
        let found: Vec<_> = claims.iter().map(|c| (c.lease.attempt.job, c.lease.attempt.step)).collect();
        assert_eq!(found, expected, "claimed in order of priority and ready time");
        for (row, claim) in ready.iter().zip(claims) {
            let version = self.take(row, request, claim.lease.fence);
            assert_eq!(claim.job_version, version, "the job's version after the claim");
            assert_eq!(claim.lease.attempt.attempt, self.jobs[&row.job].steps[&row.step].attempt);
        }
    }

    fn take(&mut self, row: &QueueRow, request: &ClaimRequest, fence: Fence) -> i64 {
        assert!(self.last_fence < Some(fence), "fences grow: {fence} after {:?}", self.last_fence);
        self.last_fence = Some(fence);
        self.queue.remove(&(row.job, row.step));
        let job = self.jobs.get_mut(&row.job).expect("a queued job exists");
        let step = job.steps.get_mut(&row.step).expect("a queued step exists");
        step.status = StepStatus::Running;
        step.attempt = step.attempt.next();
        (step.fence, step.worker) = (Some(fence), Some(request.worker));
        (step.started_at, step.outcome, step.error) = (None, None, None);
        let attempt = step.attempt;
        let view = AttemptView {
            attempt,
            fence,
            worker: request.worker,
            ready_at: row.ready_at,
            claimed_at: request.now,
            started_at: None,
            ended_at: None,
            outcome: None,
        };
        job.attempts.insert((row.step, attempt), view);
        let lease = LeaseKey { attempt: AttemptKey { job: row.job, step: row.step, attempt }, fence };
        self.leases.insert(
            fence,
            LeaseRow {
                lease,
                worker: request.worker,
                claimed_at: request.now,
                kill: None,
                runtime: None,
                offered_at: None,
            },
        );
        job.row.version += 1;
        if job.row.status == JobStatus::Pending {
            (job.row.status, job.row.started_at) = (JobStatus::Running, Some(request.now));
        }
        job.row.version
    }

    /// A job as its page shows it.
    pub fn detail(&self, id: JobId) -> JobDetail {
        let job = &self.jobs[&id];
        let attempts = |step: u32| job.attempts.iter().filter(move |((of, _), _)| *of == step);
        let view = |row: &StepRow| StepView {
            row: row.clone(),
            input: job.inputs.get(&row.step).cloned(),
            output: job.outputs.get(&row.step).cloned(),
            attempts: attempts(row.step).map(|(_, view)| view.clone()).collect(),
        };
        JobDetail {
            job: job.row.clone(),
            input: job.input.clone(),
            steps: job.steps.values().map(view).collect(),
        }
    }

    /// The leases of a worker, oldest first.
    pub fn leases(&self, worker: WorkerId) -> Vec<LeaseRow> {
        self.leases.values().filter(|lease| lease.worker == worker).cloned().collect()
    }

    /// All timers, earliest first.
    pub fn timers(&self) -> Vec<TimerRow> {
        let mut timers: Vec<_> =
            self.timers.iter().map(|(key, due_at)| TimerRow { key: *key, due_at: *due_at }).collect();
        timers.sort_by_key(|timer| timer.due_at);
        timers
    }

    /// Ready steps with their queues.
    pub fn queued(&self) -> impl Iterator<Item = &QueueRow> {
        self.queue.values()
    }
}
