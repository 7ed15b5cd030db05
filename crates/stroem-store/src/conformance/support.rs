//! Makes plans, jobs and ids for the suite, and reads whole jobs back through the port.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::{Map, Value, json};
use stroem_core::{
    Fence, HumanDuration, InstanceId, JobId, JobStatus, Language, Outcome, Resources, RunnerKind, StepName,
    Tag, TagSet, TaskName, Timestamp, WorkerId, WorkerName,
};
use stroem_core::{LeaseKey, WorkspaceName};
use stroem_engine::{
    Batch, Event, JobRow, Source,
    invariants::{self, WholeJob},
};
use stroem_workflow::{ActionType, BodyInput, Plan, PlanAction, PlanHash, PlanStep, ScriptSource};

use crate::{Claim, ClaimRequest, Committed, JobDetail, NewJob, Registration, Store};

/// A time this many milliseconds after the suite's beginning.
pub fn at(millis: i64) -> Timestamp {
    Timestamp::from_micros(1_800_000_000_000_000 + millis * 1_000)
}

/// A UUIDv7 whose order is the order of `number`.
fn uuid(kind: u8, number: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&(1_800_000_000_000 + number).to_be_bytes()[2..]);
    bytes[6] = 0x70;
    bytes[8] = 0x80;
    bytes[15] = kind;
    bytes
}

/// The job of this number; a higher one was created later.
pub fn job_id(number: u64) -> JobId {
    JobId::from_bytes(uuid(1, number))
}

/// The worker of this number.
pub fn worker_id(number: u64) -> WorkerId {
    WorkerId::from_bytes(uuid(2, number))
}

/// The instance of this number.
pub fn instance_id(number: u64) -> InstanceId {
    InstanceId::from_bytes(uuid(3, number))
}

/// A set of tags from its canonical text.
pub fn tags(text: &str) -> TagSet {
    text.split(',').filter(|tag| !tag.is_empty()).map(|tag| Tag::new(tag).expect("a tag")).collect()
}

/// One step of a plan to be made.
#[derive(Debug, Clone, Default)]
pub struct StepShape {
    /// Steps before it.
    pub depends_on: Vec<u32>,
    /// Its required tags; `script` when empty.
    pub tags: &'static str,
    /// Tolerates failures.
    pub continue_on_failure: bool,
    /// Its condition.
    pub when: Option<&'static str>,
    /// Its time limit.
    pub timeout: Option<HumanDuration>,
    /// Takes the output of each dependency as an input.
    pub takes_outputs: bool,
}

/// A step that waits for others.
pub fn after(depends_on: &[u32]) -> StepShape {
    StepShape { depends_on: depends_on.to_vec(), ..StepShape::default() }
}

/// A step that needs other tags than `script`.
pub fn tagged(tags: &'static str) -> StepShape {
    StepShape { tags, ..StepShape::default() }
}

/// A plan of these steps, named `s0`, `s1`, ...
pub fn plan(task: &str, steps: &[StepShape]) -> Plan {
    let mut dependents = vec![Vec::new(); steps.len()];
    for (index, shape) in (0_u32..).zip(steps) {
        for dependency in &shape.depends_on {
            dependents[*dependency as usize].push(index);
        }
    }
    let steps = (0_u32..).zip(steps).zip(dependents);
    let steps = steps.map(|((index, shape), dependents)| step(index, shape, dependents)).collect();
    Plan {
        version: stroem_workflow::plan::PLAN_VERSION,
        task: TaskName::new(task).expect("a name"),
        timeout: None,
        input: Default::default(),
        steps,
    }
}

fn step(index: u32, shape: &StepShape, dependents: Vec<u32>) -> PlanStep {
    let taken = if shape.takes_outputs { shape.depends_on.clone() } else { Vec::new() };
    let input = taken.iter().map(|step| (format!("from_{step}"), json!(format!("{{{{ s{step}.output }}}}"))));
    PlanStep {
        name: StepName::new(&format!("s{index}")).expect("a name"),
        action_name: None,
        depends_on: shape.depends_on.clone(),
        dependents,
        continue_on_failure: shape.continue_on_failure,
        when: shape.when.map(str::to_owned),
        input: input.collect(),
        body_input: BodyInput::Step,
        action: PlanAction {
            action_type: ActionType::Script,
            input: Default::default(),
            env: Default::default(),
            resources: Resources::default(),
            workdir: None,
            runner: Some(RunnerKind::Local),
            language: Some(Language::Shell),
            source: Some(ScriptSource::Inline("true".to_owned())),
            interpreter: None,
            args: Vec::new(),
            dependencies: Vec::new(),
            image: None,
            cmd: None,
            entrypoint: None,
            command: None,
            manifest: None,
            container: Default::default(),
        },
        required_tags: tags(if shape.tags.is_empty() { "script" } else { shape.tags }),
        timeout: shape.timeout,
        references: taken,
        body_references: Vec::new(),
    }
}

/// A chain of this many steps; each takes the output of the one before.
pub fn chain(length: u32) -> Plan {
    let shape = |index: u32| StepShape {
        depends_on: index.checked_sub(1).into_iter().collect(),
        takes_outputs: true,
        ..StepShape::default()
    };
    plan("chain", &(0..length).map(shape).collect::<Vec<_>>())
}

/// This many steps that wait for nothing.
pub fn fan(width: usize) -> Plan {
    plan("fan", &vec![StepShape::default(); width])
}

/// A job to be created.
#[derive(Debug, Clone)]
pub struct JobShape {
    /// See [`job_id`]; it is created this many milliseconds after the beginning.
    pub number: u64,
    /// Its plan.
    pub plan: Arc<Plan>,
    /// Its plan as it is stored.
    pub json: Arc<str>,
    /// The hash of that.
    pub hash: PlanHash,
    /// Its workspace.
    pub workspace: &'static str,
    /// Larger is claimed earlier.
    pub priority: i32,
    /// Who asked for it.
    pub source: (&'static str, Option<&'static str>),
    /// Its input.
    pub input: Map<String, Value>,
}

impl JobShape {
    /// A job of a plan.
    pub fn new(number: u64, plan: Plan) -> Self {
        let (json, hash) = plan.to_stored();
        Self {
            number,
            plan: Arc::new(plan),
            json: json.into(),
            hash,
            workspace: "default",
            priority: 0,
            source: ("api", None),
            input: Map::new(),
        }
    }

    /// Its id.
    pub fn id(&self) -> JobId {
        job_id(self.number)
    }

    /// When it is created.
    pub fn created_at(&self) -> Timestamp {
        at(i64::try_from(self.number).expect("small"))
    }

    /// Its row before the engine filled it in.
    pub fn row(&self) -> JobRow {
        JobRow {
            id: self.id(),
            workspace: WorkspaceName::new(self.workspace).expect("a name"),
            task: self.plan.task.clone(),
            revision: "0123456789abcdef0123456789abcdef01234567".parse().expect("a revision"),
            plan: self.hash,
            source: Source {
                source_type: self.source.0.to_owned(),
                source_id: self.source.1.map(str::to_owned),
            },
            status: JobStatus::Pending,
            version: 0,
            priority: self.priority,
            open_steps: 0,
            failed_steps: 0,
            skipped_steps: 0,
            stop: None,
            stop_requested_at: None,
            created_at: self.created_at(),
            started_at: None,
            completed_at: None,
            error: None,
        }
    }

    /// What [`crate::JobStore::create`] takes.
    pub fn new_job(&self) -> NewJob {
        let batch = Batch::create(Arc::clone(&self.plan), self.row(), self.input.clone(), self.created_at());
        NewJob {
            batch,
            job: self.id(),
            input: self.input.clone(),
            plan_json: Arc::clone(&self.json),
            plan_hash: self.hash,
        }
    }
}

/// Creates a job of a plan.
pub async fn create(store: &dyn Store, number: u64, plan: Plan) -> JobShape {
    let shape = JobShape::new(number, plan);
    store.create(shape.new_job()).await.expect("creates");
    shape
}

/// Applies events to a job.
pub async fn commit(store: &dyn Store, job: &JobShape, events: Vec<Event>, now: Timestamp) -> Committed {
    store.commit(job.id(), Batch::new(Arc::clone(&job.plan), events, now)).await.expect("commits")
}

/// Claims for a worker from queues by their canonical texts.
pub async fn claim(store: &dyn Store, worker: u64, keys: &[&str], limit: u32, now: Timestamp) -> Vec<Claim> {
    let keys = keys.iter().map(|key| tags(key)).collect();
    store.claim(ClaimRequest { worker: worker_id(worker), keys, limit, now }).await.expect("claims")
}

/// Claims what can be claimed from the queue `script`, and names the leases.
pub async fn claim_scripts(store: &dyn Store, worker: u64, limit: u32, now: Timestamp) -> Vec<LeaseKey> {
    claim(store, worker, &["script"], limit, now).await.into_iter().map(|claim| claim.lease).collect()
}

/// The event of an attempt that went well.
pub fn succeeded(lease: LeaseKey, output: Option<Value>) -> Event {
    Event::AttemptEnded { lease, outcome: Outcome::Succeeded, output }
}

/// A registration of the worker `w<number>`.
pub fn registration(number: u64, instance: u64, now: Timestamp) -> Registration {
    let mut session_hash = [0; 32];
    session_hash[..16].copy_from_slice(instance_id(instance).as_bytes());
    session_hash[16..24].copy_from_slice(&now.as_micros().to_be_bytes());
    Registration {
        new_id: worker_id(number),
        name: WorkerName::new(&format!("w{number}")).expect("a name"),
        instance: instance_id(instance),
        tags: tags("script,gpu"),
        withdrawn: vec![("docker".to_owned(), "the engine cannot be reached".to_owned())],
        exclusive: false,
        capacity: 4,
        version: "1.2.3".to_owned(),
        session_hash,
        now,
        alive_since: at(0),
    }
}

/// A job as the store gives it back, with its invariants checked.
///
/// # Panics
/// When an invariant is broken.
pub async fn whole(store: &dyn Store, job: &JobShape, workers: &[u64]) -> JobDetail {
    let detail = store.detail(job.id()).await.expect("reads").expect("exists");
    let steps: BTreeMap<u32, _> = detail.steps.iter().map(|step| (step.row.step, step.row.clone())).collect();
    let mut queued = BTreeSet::new();
    for key in store.queue_keys().await.expect("reads") {
        let ready = store.ready_since(&key, Timestamp::from_micros(i64::MAX), u32::MAX).await.expect("reads");
        queued.extend(ready.into_iter().filter(|(id, _)| *id == job.id()).map(|(_, step)| step));
    }
    let mut leased: BTreeMap<u32, Fence> = BTreeMap::new();
    for worker in workers {
        for lease in store.leases(worker_id(*worker)).await.expect("reads") {
            if lease.lease.attempt.job == job.id() {
                leased.insert(lease.lease.attempt.step, lease.lease.fence);
            }
        }
    }
    let all = WholeJob { plan: &job.plan, job: &detail.job, steps: &steps, queued: &queued, leased: &leased };
    invariants::check(all).unwrap_or_else(|violation| panic!("job {}: {violation}", job.number));
    detail
}
