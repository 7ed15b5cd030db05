//! A store in memory, and the shortest way to a plan.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use stroem_core::{
    AttemptKey, AttemptNumber, Fence, JobId, JobStatus, LeaseKey, StepStatus, Timestamp, WorkerId,
};
use stroem_engine::{
    Applied, Batch, BatchResult, Changes, Event, Footprint, IllegalEvent, JobRow, Loaded, Progress, Source,
    StepRow,
    invariants::{WholeJob, check},
};
use stroem_workflow::{Plan, SourceFile, StepResult, load};

pub(crate) const WORKER: WorkerId = WorkerId::from_bytes([1; 16]);

/// A plan of one task `t` from the text of its flow.
pub(crate) fn plan(task: &str) -> Arc<Plan> {
    let text = format!("tasks:\n  t:\n{task}");
    let workspace = load(&[SourceFile { path: ".workflows/t.yaml".to_owned(), text }]);
    assert!(workspace.diagnostics.is_empty(), "{:#?}", workspace.diagnostics);
    Arc::new(workspace.plan("t").expect("a plan"))
}

/// One job as a store would hold it, with everything that was ever read counted.
pub(crate) struct World {
    pub(crate) plan: Arc<Plan>,
    pub(crate) job: JobRow,
    pub(crate) steps: BTreeMap<u32, StepRow>,
    pub(crate) outputs: BTreeMap<u32, serde_json::Value>,
    pub(crate) queued: BTreeSet<u32>,
    pub(crate) leased: BTreeMap<u32, Fence>,
    pub(crate) killed: BTreeSet<u32>,
    pub(crate) rows_read: usize,
    input: serde_json::Map<String, serde_json::Value>,
    fence: i64,
    now: i64,
}

impl World {
    pub(crate) fn new(plan: &Arc<Plan>) -> Self {
        Self::with_input(plan, serde_json::Map::new())
    }

    pub(crate) fn with_input(plan: &Arc<Plan>, input: serde_json::Map<String, serde_json::Value>) -> Self {
        let job = JobRow {
            id: JobId::from_bytes([9; 16]),
            workspace: "w".parse().expect("a name"),
            task: plan.task.clone(),
            revision: "0".repeat(40).parse().expect("a revision"),
            plan: plan.to_stored().1,
            source: Source { source_type: "api".to_owned(), source_id: None },
            status: JobStatus::Pending,
            version: 0,
            priority: 0,
            open_steps: 0,
            failed_steps: 0,
            skipped_steps: 0,
            stop: None,
            stop_requested_at: None,
            created_at: Timestamp::from_micros(0),
            started_at: None,
            completed_at: None,
            error: None,
        };
        let mut world = Self {
            plan: Arc::clone(plan),
            job: job.clone(),
            steps: BTreeMap::new(),
            outputs: BTreeMap::new(),
            queued: BTreeSet::new(),
            leased: BTreeMap::new(),
            killed: BTreeSet::new(),
            rows_read: 0,
            input: input.clone(),
            fence: 0,
            now: 0,
        };
        let mut batch = Batch::create(Arc::clone(plan), job, input, Timestamp::from_micros(0));
        assert_eq!(batch.advance(), Progress::Done, "a new job needs no rows");
        world.write(batch.finish().changes);
        world.check();
        world
    }

    /// Commits events in one batch, as a store does, and checks every invariant.
    pub(crate) fn commit(&mut self, events: Vec<Event>) -> Vec<Result<Applied, IllegalEvent>> {
        self.now += 1;
        let mut batch = Batch::new(Arc::clone(&self.plan), events, Timestamp::from_micros(self.now));
        while let Progress::Load(footprint) = batch.advance() {
            let loaded = self.load(&footprint);
            self.rows_read += 1 + loaded.steps.len() + loaded.results.len();
            batch.provide(&footprint, loaded);
        }
        let BatchResult { changes, answers, .. } = batch.finish();
        self.write(changes);
        self.check();
        answers
    }

    fn load(&self, footprint: &Footprint) -> Loaded {
        let wanted = |row: &&StepRow| {
            footprint.steps.contains(&row.step) || (footprint.open_steps && !row.status.is_terminal())
        };
        let result = |step: &u32| {
            let row = &self.steps[step];
            let output = self.outputs.get(step).cloned();
            (*step, StepResult { status: row.status, output, error: row.error.clone() })
        };
        Loaded {
            job: self.job.clone(),
            job_input: footprint.job_input.then(|| self.input.clone()),
            steps: self.steps.values().filter(wanted).map(|row| (row.step, row.clone())).collect(),
            results: footprint.results.iter().map(result).collect(),
        }
    }

    fn write(&mut self, changes: Changes) {
        if let Some(job) = changes.job {
            self.job = job;
        }
        self.steps.extend(changes.steps);
        self.outputs.extend(changes.outputs);
        for step in changes.dequeue {
            self.queued.remove(&step);
        }
        self.queued.extend(changes.enqueue.keys());
        self.killed.extend(changes.kills.iter().map(|kill| kill.lease.attempt.step));
        for lease in changes.released {
            if self.leased.get(&lease.attempt.step) == Some(&lease.fence) {
                self.leased.remove(&lease.attempt.step);
                self.killed.remove(&lease.attempt.step);
            }
        }
    }

    /// The store's claim of one step.
    pub(crate) fn claim(&mut self, step: u32) -> Option<LeaseKey> {
        if !self.queued.remove(&step) {
            return None;
        }
        self.fence += 1;
        let fence = Fence(self.fence);
        let row = self.steps.get_mut(&step).expect("queued steps exist");
        row.status = StepStatus::Running;
        row.attempt = row.attempt.next();
        row.fence = Some(fence);
        row.worker = Some(WORKER);
        row.started_at = None;
        self.leased.insert(step, fence);
        self.job.status = JobStatus::Running;
        self.job.version += 1;
        self.check();
        self.lease(step)
    }

    /// The newest lease of a step, over or not.
    pub(crate) fn lease(&self, step: u32) -> Option<LeaseKey> {
        let row = &self.steps[&step];
        let attempt = AttemptKey { job: self.job.id, step, attempt: row.attempt };
        row.fence.map(|fence| LeaseKey { attempt, fence })
    }

    /// A lease that was never handed out.
    pub(crate) fn stale(&self, step: u32) -> LeaseKey {
        let attempt = AttemptKey { job: self.job.id, step, attempt: AttemptNumber(77) };
        LeaseKey { attempt, fence: Fence(-1) }
    }

    pub(crate) fn check(&self) {
        let whole = WholeJob {
            plan: &self.plan,
            job: &self.job,
            steps: &self.steps,
            queued: &self.queued,
            leased: &self.leased,
        };
        if let Err(violation) = check(whole) {
            panic!("{violation}");
        }
    }

    pub(crate) fn status(&self, step: &str) -> StepStatus {
        self.steps[&self.plan.step_index(step).expect("a step of the plan")].status
    }
}
