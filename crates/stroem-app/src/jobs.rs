//! Jobs: execute, cancel, look.

use std::sync::Arc;

use serde_json::{Map, Value};
use stroem_core::{JobId, JobStatus, StepStatus};
use stroem_engine::{Batch, Event, IllegalEvent, JobRow, JobStop, Source};
use stroem_store::{JobDetail, JobFilter, JobPage, NewJob, StepDetail, StoreError};
use stroem_workflow::{Plan, StepResult};

use crate::{App, AppError, Vault};

/// A job with its plan, as people may see it: secret inputs are masked.
#[derive(Debug, Clone)]
pub struct JobView {
    /// Rows, input, steps.
    pub detail: JobDetail,
    /// The plan that it follows.
    pub plan: Arc<Plan>,
}

impl App {
    /// Creates a job of a task. It is durable when this answers.
    ///
    /// # Errors
    /// [`AppError`] for an unknown workspace or task, one that cannot run, and an input that does not fit.
    pub async fn execute(
        &self,
        workspace: &str,
        task: &str,
        input: &Map<String, Value>,
        source: Source,
    ) -> Result<JobId, AppError> {
        let inner = &self.inner;
        let loaded = inner.workspaces.refresh(workspace).await?;
        let stored = loaded.plan(workspace, task)?;
        let plan = &stored.plan;
        let input = loaded.model.check_input(plan, input).map_err(AppError::InvalidInput)?;
        let input = inner.vault.seal(plan, &input);
        let now = self.now();
        let source_type = source.source_type.clone();
        inner.workspaces.share(workspace, &loaded.revision, now).await?;
        let id = inner.options.clock.job_id();
        let (name, _) = inner.workspaces.source(workspace)?;
        let job = JobRow {
            id,
            workspace: name.clone(),
            task: plan.task.clone(),
            revision: loaded.revision.clone(),
            plan: stored.hash,
            source,
            status: JobStatus::Pending,
            version: 0,
            priority: 0,
            open_steps: 0,
            failed_steps: 0,
            skipped_steps: 0,
            stop: None,
            stop_requested_at: None,
            created_at: now,
            started_at: None,
            completed_at: None,
            error: None,
        };
        let batch = Batch::create(Arc::clone(plan), job, input.clone(), now);
        let new =
            NewJob { batch, job: id, input, plan_json: Arc::clone(&stored.json), plan_hash: stored.hash };
        inner.mailboxes.remember(id, plan);
        let committed = inner.store.create(new).await?;
        inner.metrics.created(&source_type);
        inner.mailboxes.committed(committed.result, now);
        Ok(id)
    }

    /// Creates a job like an earlier one: the same task and input, or another input, at the workspace's revision of now.
    ///
    /// # Errors
    /// [`AppError::NoSuchJob`], and those of [`Self::execute`].
    pub async fn rerun(&self, job: JobId, input: Option<&Map<String, Value>>) -> Result<JobId, AppError> {
        let detail = self.inner.store.detail(job).await?.ok_or(AppError::NoSuchJob)?;
        let input = match input {
            Some(input) => input.clone(),
            None => {
                let plan = self.inner.mailboxes.plan(job).await.map_err(no_such_job)?;
                self.inner.vault.open_input(&plan, &detail.input)?
            }
        };
        let source = Source { source_type: "rerun".to_owned(), source_id: Some(job.to_string()) };
        self.execute(detail.job.workspace.as_str(), detail.job.task.as_str(), &input, source).await
    }

    /// Cancels a job: what waits ends at once, what runs is killed by its worker.
    ///
    /// # Errors
    /// [`AppError::NoSuchJob`]; [`AppError::JobEnded`] when it has ended or is being stopped already.
    pub async fn cancel(&self, job: JobId) -> Result<(), AppError> {
        let answers =
            self.inner.mailboxes.send(job, vec![Event::CancelRequested]).await.map_err(no_such_job)?;
        match answers.into_iter().next() {
            Some(Ok(_)) => Ok(()),
            Some(Err(IllegalEvent::JobEnded { status })) => Err(AppError::JobEnded(status)),
            Some(Err(other)) => Err(AppError::Store(StoreError::Internal(other.to_string()))),
            None => Err(AppError::Store(StoreError::Internal("a commit gave no answer".to_owned()))),
        }
    }

    /// One job.
    ///
    /// # Errors
    /// [`AppError::NoSuchJob`].
    pub async fn job(&self, job: JobId) -> Result<JobView, AppError> {
        let mut detail = self.inner.store.detail(job).await?.ok_or(AppError::NoSuchJob)?;
        let plan = self.inner.mailboxes.plan(job).await.map_err(no_such_job)?;
        detail.input = Vault::mask(&plan, &detail.input);
        Ok(JobView { detail, plan })
    }

    /// A job's row and plan, without its steps.
    ///
    /// # Errors
    /// [`AppError::NoSuchJob`].
    pub async fn job_row(&self, job: JobId) -> Result<(JobRow, Arc<Plan>), AppError> {
        let row = self.inner.store.job(job).await?.ok_or(AppError::NoSuchJob)?;
        let plan = self.inner.mailboxes.plan(job).await.map_err(no_such_job)?;
        Ok((row, plan))
    }

    /// One step of a job.
    ///
    /// # Errors
    /// [`AppError::NoSuchJob`], [`AppError::NoSuchStep`].
    pub async fn step(&self, job: JobId, step: &str) -> Result<(StepDetail, Arc<Plan>), AppError> {
        let plan = self.inner.mailboxes.plan(job).await.map_err(no_such_job)?;
        let missing = || AppError::NoSuchStep(step.to_owned());
        let index = plan.step_index(step).ok_or_else(missing)?;
        let detail = self.inner.store.step(job, index).await?.ok_or_else(missing)?;
        Ok((detail, plan))
    }

    /// Jobs, newest first.
    ///
    /// # Errors
    /// [`AppError::Store`].
    pub async fn jobs(&self, filter: &JobFilter) -> Result<JobPage, AppError> {
        Ok(self.inner.store.list(filter).await?)
    }
}

pub(crate) fn no_such_job(error: StoreError) -> AppError {
    match error {
        StoreError::NoSuchJob => AppError::NoSuchJob,
        other => AppError::Store(other),
    }
}

/// The state that people see: a job that is being stopped already shows its end.
pub fn shown_status(job: &JobRow) -> JobStatus {
    match job.stop {
        Some(JobStop::Cancelled) => JobStatus::Cancelled,
        Some(JobStop::TimedOut) => JobStatus::Failed,
        None => job.status,
    }
}

impl JobView {
    /// The state that people see: a job that is being stopped already shows its end.
    pub fn status(&self) -> JobStatus {
        shown_status(&self.detail.job)
    }

    /// The job's output: the outputs of its terminal steps by name, once it ended. A step without an output gives null.
    pub fn output(&self) -> Option<Value> {
        if !self.detail.job.status.is_terminal() {
            return None;
        }
        let outputs: Map<String, Value> = self
            .plan
            .terminal_steps()
            .filter_map(|(index, step)| {
                let view = self.detail.steps.get(index as usize)?;
                let completed = view.row.status == StepStatus::Completed;
                let output = view.output.clone().filter(|_| completed).unwrap_or(Value::Null);
                Some((step.name.to_string(), output))
            })
            .collect();
        Some(Value::Object(outputs))
    }

    /// Results of steps as templates would see them, for comparison with a local run.
    pub fn results(&self) -> Vec<StepResult> {
        self.detail
            .steps
            .iter()
            .map(|step| StepResult {
                status: step.row.status,
                output: step.output.clone(),
                error: step.row.error.clone(),
            })
            .collect()
    }
}
