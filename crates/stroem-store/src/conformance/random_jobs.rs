//! Random jobs under random events, legal and not: whatever happens, the store holds what the reference holds.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::json;
use stroem_core::{
    AttemptKey, AttemptNumber, Exit, Fence, HumanDuration, LeaseKey, Outcome, StartPhase, Timestamp,
};
use stroem_engine::{Batch, Event};

use super::{
    model::Model,
    random::Random,
    support::{JobShape, StepShape, at, claim, plan, tags, whole, worker_id},
};
use crate::{ClaimRequest, Store};

const SEEDS: u64 = 24;
const ACTIONS: usize = 70;
const WORKERS: &[u64] = &[1, 2, 3];
const KEYS: &[&str] = &["script", "docker,script", "gpu"];

/// Two or three jobs a seed, claims and batches of events in any order; every answer and every row is compared.
pub async fn random_jobs_equal_the_reference(store: &dyn Store) {
    let mut model = Model::default();
    for seed in 0..SEEDS {
        let mut run = Run {
            store,
            model: &mut model,
            random: Random::seeded(seed),
            jobs: Vec::new(),
            leases: Vec::new(),
            now: 0,
        };
        run.run(seed).await;
    }
}

struct Run<'a> {
    store: &'a dyn Store,
    model: &'a mut Model,
    random: Random,
    jobs: Vec<JobShape>,
    /// Every lease ever given out, so that stale ones are shown again.
    leases: Vec<LeaseKey>,
    now: i64,
}

impl Run<'_> {
    async fn run(&mut self, seed: u64) {
        self.now = i64::try_from(seed).expect("small") * 1_000;
        for number in 0..2 + self.random.below(2) as u64 {
            self.create(seed * 1_000 + number).await;
        }
        for action in 0..ACTIONS {
            self.now += 1;
            if self.random.one_in(3) {
                self.claim().await;
            } else {
                self.commit().await;
            }
            if action % 7 == 0 {
                self.compare(seed).await;
            }
        }
        // What is left must not be claimed by the next seed.
        for job in self.jobs.clone() {
            self.apply(&job, vec![Event::CancelRequested]).await;
        }
        self.compare(seed).await;
    }

    async fn create(&mut self, number: u64) {
        let mut shape = JobShape::new(number, random_plan(&mut self.random));
        shape.priority = i32::try_from(self.random.below(3)).expect("small") - 1;
        shape.input = [("name".to_owned(), json!("Ada"))].into_iter().collect();
        let created = self.store.create(shape.new_job()).await.expect("creates");
        assert_eq!(created.result, self.model.create(&shape));
        self.jobs.push(shape);
    }

    async fn claim(&mut self) {
        let worker = *self.random.pick(WORKERS).expect("not empty");
        let keys = &KEYS[..=self.random.below(KEYS.len())];
        let limit = u32::try_from(self.random.below(4)).expect("small");
        let claims = claim(self.store, worker, keys, limit, at(self.now)).await;
        let keys = keys.iter().map(|key| tags(key)).collect();
        self.model
            .claim(&ClaimRequest { worker: worker_id(worker), keys, limit, now: at(self.now) }, &claims);
        self.leases.extend(claims.iter().map(|claim| claim.lease));
    }

    async fn commit(&mut self) {
        let job = self.random.pick(&self.jobs).expect("not empty").clone();
        let count = 1 + self.random.below(4);
        let mut events: Vec<Event> = (0..count).map(|_| self.event(&job)).collect();
        if self.random.one_in(4) {
            events.push(events[0].clone());
        }
        self.apply(&job, events).await;
    }

    async fn apply(&mut self, job: &JobShape, events: Vec<Event>) {
        let batch = Batch::new(Arc::clone(&job.plan), events, at(self.now));
        let committed = self.store.commit(job.id(), batch.clone()).await.expect("commits");
        let (result, rows_read) = self.model.commit(job.id(), batch);
        assert_eq!(committed.result, result);
        assert_eq!(committed.rows_read, rows_read, "rows read");
    }

    fn event(&mut self, job: &JobShape) -> Event {
        let leases: Vec<LeaseKey> =
            self.leases.iter().filter(|lease| lease.attempt.job == job.id()).copied().collect();
        let step = u32::try_from(self.random.below(job.plan.steps.len() + 1)).expect("small");
        let unknown = LeaseKey {
            attempt: AttemptKey { job: job.id(), step, attempt: AttemptNumber(1) },
            fence: Fence(i64::MAX),
        };
        let lease =
            if self.random.one_in(12) { unknown } else { *self.random.pick(&leases).unwrap_or(&unknown) };
        match self.random.below(16) {
            0..4 => Event::AttemptStarted { lease, at: at(self.now) },
            4..12 => self.ended(lease),
            12 => Event::HandedBack { lease },
            13 => Event::AttemptDeadline { lease },
            14 if self.random.one_in(4) => Event::CancelRequested,
            14 if self.random.one_in(4) => Event::JobDeadline,
            _ if self.random.one_in(4) => Event::Unmatched { step },
            _ => self.ended(lease),
        }
    }

    fn ended(&mut self, lease: LeaseKey) -> Event {
        let outcome = match self.random.below(10) {
            0..5 => Outcome::Succeeded,
            5 => Outcome::Failed { exit: Exit::ExitCode(3) },
            6 => Outcome::WorkerLost,
            7 => Outcome::DiskFull { message: "no space left on device".to_owned() },
            8 => Outcome::Evicted { phase: StartPhase::NotStarted, message: "node pressure".to_owned() },
            _ => Outcome::Cancelled,
        };
        let output = (!self.random.one_in(3)).then(|| json!({ "step": lease.attempt.step, "now": self.now }));
        Event::AttemptEnded { lease, outcome, output }
    }

    async fn compare(&self, seed: u64) {
        for job in &self.jobs {
            let (found, expected) = (whole(self.store, job, WORKERS).await, self.model.detail(job.id()));
            for (found, expected) in found.steps.iter().zip(&expected.steps) {
                assert_eq!(found, expected, "seed {seed}, job {}", job.number);
            }
            assert_eq!(found.job, expected.job, "seed {seed}");
            assert_eq!(found, expected, "seed {seed}, job {}", job.number);
        }
        for worker in WORKERS.iter().map(|number| worker_id(*number)) {
            assert_eq!(
                self.store.leases(worker).await.expect("reads"),
                self.model.leases(worker),
                "seed {seed}"
            );
        }
        let end = Timestamp::from_micros(i64::MAX);
        let mut timers = self.store.due_timers(end, u32::MAX).await.expect("reads");
        assert!(timers.is_sorted_by_key(|timer| timer.due_at), "timers come earliest first");
        timers.sort_by_key(|timer| (timer.due_at, timer.key));
        let mut expected = self.model.timers();
        expected.sort_by_key(|timer| (timer.due_at, timer.key));
        assert_eq!(timers, expected, "seed {seed}");
        let keys: BTreeSet<_> = self.model.queued().map(|row| row.tags.clone()).collect();
        let found: BTreeSet<_> = self.store.queue_keys().await.expect("reads").into_iter().collect();
        assert_eq!(found, keys, "seed {seed}");
    }
}

fn random_plan(random: &mut Random) -> stroem_workflow::Plan {
    let count = 1 + random.below(9);
    let mut shapes = Vec::with_capacity(count);
    for index in 0..count {
        let near = index.saturating_sub(4)..index;
        let depends_on: Vec<u32> =
            near.filter(|_| random.one_in(3)).map(|step| u32::try_from(step).expect("small")).collect();
        let whens = [
            None,
            None,
            None,
            Some("true"),
            Some("{{ input.name == 'Ada' }}"),
            Some("{{ input.name == 'Bob' }}"),
        ];
        shapes.push(StepShape {
            depends_on,
            tags: KEYS[random.below(KEYS.len())],
            continue_on_failure: random.one_in(3),
            when: *random.pick(&whens).expect("not empty"),
            timeout: random.one_in(2).then(|| HumanDuration::from_secs(60)),
            takes_outputs: random.one_in(2),
        });
    }
    let mut plan = plan(&format!("random-{count}"), &shapes);
    plan.timeout = random.one_in(2).then(|| HumanDuration::from_secs(3_600));
    plan
}
