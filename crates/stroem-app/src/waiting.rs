//! Steps that are ready and not yet claimed, with what they wait for.

use stroem_core::{JobId, TagSet, TaskName, Timestamp, WorkspaceName};

use crate::{App, AppError, workers::WorkerView};

/// A step that waits for a worker.
#[derive(Debug, Clone)]
pub struct WaitingStep {
    /// Its job.
    pub job: JobId,
    /// The job's workspace.
    pub workspace: WorkspaceName,
    /// The job's task.
    pub task: TaskName,
    /// Its name.
    pub step: String,
    /// Tags that a worker needs.
    pub required_tags: TagSet,
    /// When it became ready.
    pub ready_at: Option<Timestamp>,
    /// One sentence.
    pub summary: String,
    /// Whether a connected worker will take it when it has a slot.
    pub has_worker: bool,
}

/// Steps of one queue that are listed.
const PER_QUEUE: u32 = 20;
/// Steps that are listed in all.
const IN_ALL: usize = 100;

impl App {
    /// The oldest ready steps of each queue.
    ///
    /// # Errors
    /// [`AppError::Store`].
    pub async fn waiting(&self) -> Result<Vec<WaitingStep>, AppError> {
        let workers = self.workers().await?;
        let now = self.now();
        let mut waiting = Vec::new();
        for tags in self.inner.store.queue_keys().await? {
            let (has_worker, summary) = why(&workers, &tags);
            for (job, step) in self.inner.store.ready_since(&tags, now, PER_QUEUE).await? {
                // Between two reads a job may have been claimed or deleted; then it no longer waits.
                let Some(detail) = self.inner.store.step(job, step).await? else { continue };
                let plan = self.inner.mailboxes.plan(job).await?;
                waiting.push(WaitingStep {
                    job,
                    workspace: detail.job.workspace,
                    task: detail.job.task,
                    step: plan.step(step).name.to_string(),
                    required_tags: tags.clone(),
                    ready_at: detail.step.row.ready_at,
                    summary: summary.clone(),
                    has_worker,
                });
            }
        }
        waiting.sort_by_key(|step| (step.ready_at, step.job));
        waiting.truncate(IN_ALL);
        Ok(waiting)
    }
}

/// What a queue waits for. The worker that lacks the fewest tags is the one to look at.
fn why(workers: &[WorkerView], tags: &TagSet) -> (bool, String) {
    let connected = || workers.iter().filter(|worker| worker.row.gone_at.is_none());
    let takes =
        |worker: &WorkerView| !worker.row.draining && worker.row.tags.may_claim(worker.row.exclusive, tags);
    if connected().any(takes) {
        return (true, "waits for a free slot".to_owned());
    }
    let nearest = connected().min_by_key(|worker| worker.row.tags.missing(tags).len());
    let summary = match nearest {
        None => "no worker is connected".to_owned(),
        Some(worker) => {
            let missing: Vec<&str> =
                worker.row.tags.missing(tags).into_iter().map(|tag| tag.as_str()).collect();
            match (missing.is_empty(), worker.row.draining) {
                (true, true) => format!("the only fitting worker, {}, drains", worker.row.name),
                (true, false) => format!("{} is exclusive and passes it over", worker.row.name),
                (false, _) => format!("{} lacks {}", worker.row.name, missing.join(", ")),
            }
        }
    };
    (false, summary)
}
