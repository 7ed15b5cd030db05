//! What is counted while the application works, for Prometheus. Counters and histograms are this server's own since its
//! start; gauges are read when somebody asks. Knows no HTTP: the server adds its requests to the same registry.

use std::sync::Mutex;

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use stroem_core::{Cause, JobStatus, Timestamp};
use stroem_engine::{AttemptChange, Changes};

use crate::{App, AppError};

/// Seconds, from what nobody notices to what somebody is called for.
pub const SECONDS_BUCKETS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0];

type Labels = Vec<(&'static str, String)>;

/// All numbers of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Mutex<Registry>,
    jobs_created: Family<Labels, Counter>,
    jobs_completed: Family<Labels, Counter>,
    outcomes: Family<Labels, Counter>,
    queue_wait: Histogram,
    dispatch: Histogram,
    leader: Gauge,
    workers_active: Gauge,
    worker_slots: Gauge,
    worker_slots_used: Gauge,
    jobs_in_flight: Gauge,
    steps_ready: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Mutex::new(Registry::with_prefix("stroem")),
            jobs_created: Family::default(),
            jobs_completed: Family::default(),
            outcomes: Family::default(),
            queue_wait: Histogram::new(SECONDS_BUCKETS),
            dispatch: Histogram::new(SECONDS_BUCKETS),
            leader: Gauge::default(),
            workers_active: Gauge::default(),
            worker_slots: Gauge::default(),
            worker_slots_used: Gauge::default(),
            jobs_in_flight: Gauge::default(),
            steps_ready: Gauge::default(),
        };
        metrics.register(|registry| {
            let gauge = |registry: &mut Registry, name: &str, help: &str, gauge: &Gauge| {
                registry.register(name, help, gauge.clone());
            };
            registry.register(
                "jobs_created",
                "Jobs created, by what created them",
                metrics.jobs_created.clone(),
            );
            registry.register(
                "jobs_completed",
                "Jobs that ended, by their state",
                metrics.jobs_completed.clone(),
            );
            registry.register(
                "step_outcomes",
                "Attempts of steps that ended, by cause",
                metrics.outcomes.clone(),
            );
            let help = "Seconds from a step being ready to its claim by a worker";
            registry.register("step_queue_wait_seconds", help, metrics.queue_wait.clone());
            let help = "Seconds from a step being ready to the report that its process runs";
            registry.register("step_dispatch_seconds", help, metrics.dispatch.clone());
            gauge(
                registry,
                "leader_status",
                "Whether this server does the work that one server does",
                &metrics.leader,
            );
            gauge(registry, "workers_active", "Workers that take steps", &metrics.workers_active);
            gauge(
                registry,
                "worker_slots",
                "Steps that active workers can run at once",
                &metrics.worker_slots,
            );
            gauge(
                registry,
                "worker_slots_used",
                "Slots of workers that run a step",
                &metrics.worker_slots_used,
            );
            gauge(registry, "jobs_in_flight", "Jobs that have not ended", &metrics.jobs_in_flight);
            gauge(registry, "steps_ready", "Steps that wait for a worker", &metrics.steps_ready);
        });
        // A cause that never happened is a zero, so that the first one is seen as a rise.
        for cause in Cause::ALL {
            drop(metrics.outcomes.get_or_create(&cause_label(*cause)));
        }
        for status in JobStatus::ALL.iter().filter(|status| status.is_terminal()) {
            drop(metrics.jobs_completed.get_or_create(&status_label(*status)));
        }
        metrics
    }
}

impl Metrics {
    /// Lets others add their numbers; each name begins with `stroem_`.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }

    pub(crate) fn created(&self, source_type: &str) {
        self.jobs_created.get_or_create(&vec![("source_type", source_type.to_owned())]).inc();
    }

    /// Counts what a commit wrote.
    pub(crate) fn committed(&self, changes: &Changes, now: Timestamp) {
        if let Some(job) = changes.job.as_ref().filter(|job| job.status.is_terminal()) {
            self.jobs_completed.get_or_create(&status_label(job.status)).inc();
        }
        for (step, _, change) in &changes.attempts {
            match change {
                AttemptChange::Started { .. } => {
                    let ready_at = changes.steps.get(step).and_then(|row| row.ready_at);
                    if let Some(ready_at) = ready_at {
                        self.dispatch.observe(seconds(ready_at, now));
                    }
                }
                AttemptChange::Ended { outcome, .. } => {
                    self.outcomes.get_or_create(&cause_label(outcome.cause())).inc();
                }
                AttemptChange::Removed => {}
            }
        }
        // A step that nobody could take ends without an attempt.
        let unclaimed = changes.steps.values().filter_map(|row| row.outcome.as_ref());
        for _ in unclaimed.filter(|outcome| outcome.cause() == Cause::NoMatchingWorker) {
            self.outcomes.get_or_create(&cause_label(Cause::NoMatchingWorker)).inc();
        }
    }

    pub(crate) fn claimed(&self, ready_at: Timestamp, now: Timestamp) {
        self.queue_wait.observe(seconds(ready_at, now));
    }
}

impl App {
    /// The numbers, to add to.
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// All numbers as OpenMetrics text. Gauges cost what `/api/stats` costs.
    ///
    /// # Errors
    /// [`AppError::Store`].
    pub async fn metrics_text(&self) -> Result<String, AppError> {
        let metrics = &self.inner.metrics;
        let (counts, workers) = (self.counts().await?, self.workers().await?);
        let active: Vec<_> =
            workers.iter().filter(|worker| worker.row.gone_at.is_none() && !worker.row.draining).collect();
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let in_flight =
            counts.jobs.iter().filter(|(status, _)| !status.is_terminal()).map(|(_, count)| count);
        metrics.leader.set(i64::from(self.leads()));
        metrics.jobs_in_flight.set(whole(in_flight.sum()));
        metrics.steps_ready.set(whole(counts.ready_steps));
        metrics.worker_slots_used.set(whole(counts.running_steps));
        metrics.workers_active.set(whole(active.len() as u64));
        metrics.worker_slots.set(active.iter().map(|worker| i64::from(worker.row.capacity)).sum());
        let mut text = String::new();
        let registry = metrics.registry.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        encode(&mut text, &registry).expect("writing to a String cannot fail");
        Ok(text)
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    let micros = to.as_micros().saturating_sub(from.as_micros()).max(0);
    std::time::Duration::from_micros(micros.unsigned_abs()).as_secs_f64()
}

fn cause_label(cause: Cause) -> Labels {
    vec![("cause", cause.as_str().to_owned())]
}

fn status_label(status: JobStatus) -> Labels {
    vec![("status", status.as_str().to_owned())]
}
