//! What happened lately, in numbers: a task's durations, and the throughput and queue times of everything.

use std::time::Duration;

use stroem_core::{JobId, JobStatus, Timestamp, limits};
use stroem_engine::JobRow;
use stroem_store::JobFilter;

use crate::{App, AppError, shown_status};

/// A job of a task, as a bar of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastRun {
    /// The job.
    pub job: JobId,
    /// Its state.
    pub status: JobStatus,
    /// When it was created.
    pub created_at: Timestamp,
    /// From its creation to the claim of its first step.
    pub queue: Option<Duration>,
    /// From the claim of its first step to its end.
    pub duration: Option<Duration>,
}

/// A task's newest jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskHistory {
    /// How many jobs the task had in all.
    pub total: u64,
    /// The newest, newest first.
    pub runs: Vec<PastRun>,
    /// Half of the completed ones among them took no longer.
    pub p50: Option<Duration>,
    /// 95 of 100 took no longer.
    pub p95: Option<Duration>,
}

/// What happened in a stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityBucket {
    /// Its beginning.
    pub at: Timestamp,
    /// Jobs that completed in it.
    pub completed: u64,
    /// Jobs that failed in it.
    pub failed: u64,
    /// Jobs that ended otherwise in it.
    pub other: u64,
    /// Queue times of jobs that started in it: half of them waited no longer.
    pub queue_p50: Option<Duration>,
    /// 95 of 100 waited no longer.
    pub queue_p95: Option<Duration>,
}

/// What happened lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// Oldest first, without gaps.
    pub buckets: Vec<ActivityBucket>,
    /// Whether there were more jobs than are looked at, so that the older buckets count too few.
    pub cut: bool,
}

/// Jobs of a task that its history looks at.
const RUNS: u32 = 100;
/// Jobs that the activity looks at.
const JOBS: u32 = 10 * limits::JOB_PAGE;
/// Buckets of the activity.
const BUCKETS: i64 = 60;

impl App {
    /// A task's newest jobs, with percentiles of their durations.
    ///
    /// # Errors
    /// [`AppError::Store`].
    pub async fn task_history(&self, workspace: &str, task: &str) -> Result<TaskHistory, AppError> {
        let filter = JobFilter {
            workspace: Some(workspace.to_owned()),
            task: Some(task.to_owned()),
            limit: RUNS,
            ..JobFilter::default()
        };
        let page = self.inner.store.list(&filter).await?;
        let runs: Vec<PastRun> = page.items.iter().map(|item| past_run(&item.job)).collect();
        let completed = runs.iter().filter(|run| run.status == JobStatus::Completed);
        let mut durations: Vec<Duration> = completed.filter_map(|run| run.duration).collect();
        durations.sort_unstable();
        Ok(TaskHistory {
            total: page.total,
            p50: percentile(&durations, 50),
            p95: percentile(&durations, 95),
            runs,
        })
    }

    /// Throughput and queue times of the last stretch of time.
    ///
    /// # Errors
    /// [`AppError::Store`].
    pub async fn activity(&self, span: Duration) -> Result<Activity, AppError> {
        let now = self.now().as_micros();
        let span = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        let width = (span / BUCKETS).max(1);
        // Buckets begin at multiples of their width, so that they stay the same from call to call.
        let end = (now / width + 1) * width;
        let start = end - width * BUCKETS;
        let (mut jobs, mut cut) = (Vec::new(), false);
        loop {
            let offset = u32::try_from(jobs.len()).unwrap_or(u32::MAX);
            if offset >= JOBS {
                cut = true;
                break;
            }
            let filter = JobFilter { limit: limits::JOB_PAGE, offset, ..JobFilter::default() };
            let page = self.inner.store.list(&filter).await?;
            let full = page.items.len() == limits::JOB_PAGE as usize;
            let older = page.items.last().is_none_or(|item| item.job.created_at.as_micros() < start);
            jobs.extend(page.items.into_iter().map(|item| item.job));
            if !full || older {
                break;
            }
        }
        Ok(Activity { buckets: buckets(&jobs, start, width), cut })
    }
}

fn past_run(job: &JobRow) -> PastRun {
    PastRun {
        job: job.id,
        status: shown_status(job),
        created_at: job.created_at,
        queue: job.started_at.map(|at| at.since(job.created_at)),
        duration: job.started_at.and_then(|start| job.completed_at.map(|end| end.since(start))),
    }
}

fn buckets(jobs: &[JobRow], start: i64, width: i64) -> Vec<ActivityBucket> {
    let count = usize::try_from(BUCKETS).unwrap_or_default();
    let mut queues: Vec<Vec<Duration>> = vec![Vec::new(); count];
    let mut buckets: Vec<ActivityBucket> = (0..BUCKETS)
        .map(|index| ActivityBucket {
            at: Timestamp::from_micros(start + index * width),
            completed: 0,
            failed: 0,
            other: 0,
            queue_p50: None,
            queue_p95: None,
        })
        .collect();
    let place = |at: Option<Timestamp>| {
        let index = usize::try_from((at?.as_micros() - start).div_euclid(width)).ok()?;
        (index < count).then_some(index)
    };
    for job in jobs {
        if let (Some(index), Some(started)) = (place(job.started_at), job.started_at) {
            queues[index].push(started.since(job.created_at));
        }
        let Some(bucket) = place(job.completed_at).map(|index| &mut buckets[index]) else { continue };
        match shown_status(job) {
            JobStatus::Completed => bucket.completed += 1,
            JobStatus::Failed => bucket.failed += 1,
            _ => bucket.other += 1,
        }
    }
    for (bucket, mut queue) in buckets.iter_mut().zip(queues) {
        queue.sort_unstable();
        bucket.queue_p50 = percentile(&queue, 50);
        bucket.queue_p95 = percentile(&queue, 95);
    }
    buckets
}

/// The smallest value that `percent` of 100 do not exceed (nearest rank); of sorted values.
fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let seconds = |values: &[u64]| values.iter().map(|s| Duration::from_secs(*s)).collect::<Vec<_>>();
        for (values, percent, expected) in [
            (vec![], 50, None),
            (vec![3], 50, Some(3)),
            (vec![1, 2], 50, Some(1)),
            (vec![1, 2, 3], 50, Some(2)),
            ((1..=100).collect(), 95, Some(95)),
            ((1..=10).collect(), 95, Some(10)),
        ] {
            let found = percentile(&seconds(&values), percent);
            assert_eq!(found, expected.map(Duration::from_secs), "{percent} of {values:?}");
        }
    }
}
