//! Why a step is where it is, in words: what it waits for, which worker lacks which tag, how many are ahead.

use stroem_core::{JobId, StepStatus, TagSet, Timestamp};
use stroem_store::{AttemptView, StepView};
use stroem_workflow::Plan;

use crate::{App, AppError, workers::WorkerView};

/// Why a step is where it is.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The step's name.
    pub step: String,
    /// Its state.
    pub status: StepStatus,
    /// One sentence.
    pub summary: String,
    /// Steps that it waits for.
    pub waits_for: Vec<(String, StepStatus)>,
    /// Tags that a worker needs.
    pub required_tags: TagSet,
    /// Every active worker.
    pub workers: Vec<ExplainedWorker>,
    /// How many ready steps of the same queue are claimed before it.
    pub ahead: Option<u64>,
    /// When it fails if no worker with its tags comes.
    pub fails_at: Option<Timestamp>,
    /// Its log's last lines, when it failed.
    pub last_lines: Vec<String>,
}

/// How many of its last lines a failed step shows.
const LAST_LINES: usize = 10;
/// How much of each.
const LAST_LINE_CHARS: usize = 500;

/// A worker seen from a step.
#[derive(Debug, Clone)]
pub struct ExplainedWorker {
    /// Its name.
    pub name: String,
    /// Tags that it lacks.
    pub missing_tags: Vec<String>,
    /// Its free slots.
    pub free_slots: u32,
    /// Why it takes none.
    pub remark: Option<String>,
}

impl App {
    /// Explains a step.
    ///
    /// # Errors
    /// [`AppError::NoSuchJob`], [`AppError::NoSuchStep`].
    pub async fn explain(&self, job: JobId, step: &str) -> Result<Explanation, AppError> {
        let (detail, plan) = self.step(job, step).await?;
        let index = detail.step.row.step;
        let planned = plan.step(index);
        let mut explanation = Explanation {
            step: step.to_owned(),
            status: detail.step.row.status,
            summary: String::new(),
            waits_for: Vec::new(),
            required_tags: planned.required_tags.clone(),
            workers: Vec::new(),
            ahead: None,
            fails_at: None,
            last_lines: Vec::new(),
        };
        match detail.step.row.status {
            StepStatus::Pending => {
                explanation.waits_for = self.waits_for(job, &plan, index).await?;
                explanation.summary = waiting_sentence(&explanation.waits_for);
            }
            StepStatus::Ready => self.explain_ready(job, &detail.step, &mut explanation).await?,
            status => {
                explanation.summary = ended_sentence(status, &detail.step);
                explanation.summary += &earlier_attempts(&detail.step.attempts);
                if status == StepStatus::Failed {
                    let lines = self.last_lines(job, index, LAST_LINES).await?;
                    explanation.last_lines = lines.iter().map(|line| shortened(&line.text)).collect();
                }
            }
        }
        Ok(explanation)
    }

    async fn waits_for(
        &self,
        job: JobId,
        plan: &Plan,
        step: u32,
    ) -> Result<Vec<(String, StepStatus)>, AppError> {
        let steps = plan.step(step).depends_on.iter().copied().collect();
        let footprint = stroem_engine::Footprint { steps, ..stroem_engine::Footprint::default() };
        let loaded = self.inner.store.load(job, &footprint).await?;
        let open = loaded.steps.values().filter(|row| !row.status.is_terminal());
        Ok(open.map(|row| (plan.step(row.step).name.to_string(), row.status)).collect())
    }

    async fn explain_ready(
        &self,
        job: JobId,
        step: &StepView,
        out: &mut Explanation,
    ) -> Result<(), AppError> {
        let workers = self.workers().await?;
        let active = workers.iter().filter(|worker| worker.row.gone_at.is_none());
        out.workers = active.clone().map(|worker| explain_worker(worker, &out.required_tags)).collect();
        out.ahead = self.inner.store.ahead(job, step.row.step).await?;
        let mut takers = active.filter(|worker| {
            !worker.row.draining && worker.row.tags.may_claim(worker.row.exclusive, &out.required_tags)
        });
        if takers.next().is_some() {
            let ahead = out.ahead.unwrap_or(0);
            out.summary =
                format!("waits for a free slot of a worker with its tags; {ahead} step(s) are ahead of it");
            return Ok(());
        }
        let ready_at = step.row.ready_at.unwrap_or(self.inner.started_at).max(self.inner.started_at);
        out.fails_at = Some(ready_at.after(self.inner.options.unmatched_step_timeout));
        let tags = out.required_tags.iter().map(|tag| tag.as_str()).collect::<Vec<_>>().join(", ");
        out.summary = if out.workers.is_empty() {
            format!("no worker is connected; it needs one with the tags: {tags}")
        } else {
            format!("no active worker takes steps with the tags: {tags}")
        };
        Ok(())
    }
}

fn explain_worker(worker: &WorkerView, required: &TagSet) -> ExplainedWorker {
    let running = u32::try_from(worker.leases.len()).unwrap_or(u32::MAX);
    let missing: Vec<String> =
        worker.row.tags.missing(required).into_iter().map(ToString::to_string).collect();
    let withdrawn = worker.row.withdrawn.iter().find(|(tag, _)| missing.contains(tag));
    let remark = if worker.row.draining {
        Some("drains".to_owned())
    } else if let Some((tag, reason)) = withdrawn {
        Some(format!("withdrew `{tag}`: {reason}"))
    } else if missing.is_empty() && !worker.row.tags.may_claim(worker.row.exclusive, required) {
        Some("is exclusive: it takes only steps that ask for all of its custom tags".to_owned())
    } else {
        None
    };
    ExplainedWorker {
        name: worker.row.name.to_string(),
        missing_tags: missing,
        free_slots: worker.row.capacity.saturating_sub(running),
        remark,
    }
}

fn waiting_sentence(waits_for: &[(String, StepStatus)]) -> String {
    let names: Vec<String> = waits_for.iter().map(|(name, status)| format!("{name} ({status})")).collect();
    format!("waits for {}", names.join(", "))
}

/// How the attempts before the newest one ended.
fn earlier_attempts(attempts: &[AttemptView]) -> String {
    let earlier = attempts.iter().take(attempts.len().saturating_sub(1));
    let ends = earlier.map(|attempt| {
        let end = attempt.outcome.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string);
        format!("; attempt {} ended: {end}", attempt.attempt)
    });
    ends.collect()
}

fn shortened(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    match text.char_indices().nth(LAST_LINE_CHARS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.into_owned(),
    }
}

fn ended_sentence(status: StepStatus, step: &StepView) -> String {
    match (status, &step.row.error) {
        (StepStatus::Running, _) => format!("runs since its claim, attempt {}", step.row.attempt),
        (_, Some(error)) => format!("{status}: {error}"),
        (_, None) => status.to_string(),
    }
}
