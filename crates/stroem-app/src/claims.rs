//! What a worker gets for a lease: the step with every template rendered and every secret revealed.

use stroem_core::{
    LeaseKey, Outcome, Revision, RunnerKind, Runtime, Secret, StepName, StepRun, StepSpec, TaskName,
    Timestamp, WorkspaceName,
};
use stroem_engine::{Event, Footprint};
use stroem_store::StoreError;
use stroem_workflow::{Plan, Scope, Visibility, render};

use crate::{Adopted, App, AppError};

/// A step to run.
#[derive(Debug, Clone)]
pub struct ClaimedStep {
    /// Its lease.
    pub lease: LeaseKey,
    /// Its workspace.
    pub workspace: WorkspaceName,
    /// The revision that its job pinned.
    pub revision: Revision,
    /// Its task.
    pub task: TaskName,
    /// Its name.
    pub step: StepName,
    /// When it became ready.
    pub ready_at: Timestamp,
    /// What to run.
    pub spec: StepSpec,
    /// Opens the revision's files for a platform that fetches them itself, for steps that need one.
    pub download_token: Option<Secret>,
    /// Set when it runs already and is to be taken over.
    pub adopted: Option<Adopted>,
}

impl App {
    /// Renders a claimed step. A step that cannot be rendered ends here, and there is nothing to run.
    pub(crate) async fn claimed_step(
        &self,
        lease: LeaseKey,
        runtime: Option<Runtime>,
    ) -> Result<Option<ClaimedStep>, AppError> {
        match self.render(lease, runtime).await {
            Ok(claimed) => Ok(claimed),
            Err(error @ AppError::Store(StoreError::Unavailable(_))) => Err(error),
            Err(error) => {
                let outcome = match &error {
                    AppError::Store(StoreError::Corrupt(message)) => {
                        Outcome::InvalidInput { message: message.clone() }
                    }
                    other => Outcome::RunnerError { message: other.to_string() },
                };
                self.end_unrendered(lease, outcome).await?;
                Ok(None)
            }
        }
    }

    async fn render(
        &self,
        lease: LeaseKey,
        runtime: Option<Runtime>,
    ) -> Result<Option<ClaimedStep>, AppError> {
        let inner = &self.inner;
        let (job, step) = (lease.attempt.job, lease.attempt.step);
        let plan = inner.mailboxes.plan(job).await?;
        let loaded = inner.store.load(job, &footprint(&plan, step)).await?;
        let row = loaded.steps.get(&step).filter(|row| row.fence == Some(lease.fence));
        let Some((ready_at, started_at)) = row.and_then(|row| Some((row.ready_at?, row.started_at))) else {
            return Ok(None);
        };
        let adopted = match runtime {
            Some(runtime) => Some(self.adopted(lease, runtime, started_at).await?),
            None => None,
        };
        let workspace = inner.workspaces.at(&loaded.job.workspace, &loaded.job.revision).await?;
        let input =
            inner.vault.open_input(&plan, loaded.job_input.as_ref().unwrap_or(&serde_json::Map::new()))?;
        let scope = Scope {
            plan: &plan,
            job_input: &input,
            results: &loaded.results,
            visibility: Visibility::Revealed(&workspace.model.secrets),
        };
        match render::step_spec(scope, step) {
            Ok(spec) => Ok(Some(ClaimedStep {
                download_token: is_downloaded(&spec)
                    .then(|| self.download_token(lease, &loaded.job.workspace, &loaded.job.revision)),
                lease,
                workspace: loaded.job.workspace.clone(),
                revision: loaded.job.revision.clone(),
                task: loaded.job.task.clone(),
                step: plan.step(step).name.clone(),
                ready_at,
                spec,
                adopted,
            })),
            Err(error) => {
                self.end_unrendered(lease, Outcome::InvalidInput { message: error.to_string() }).await?;
                Ok(None)
            }
        }
    }

    async fn end_unrendered(&self, lease: LeaseKey, outcome: Outcome) -> Result<(), AppError> {
        tracing::info!(job.id = %lease.attempt.job, step = lease.attempt.step, %outcome, "a claimed step cannot be run");
        let event = Event::AttemptEnded { lease, outcome, output: None };
        self.inner.mailboxes.send(lease.attempt.job, vec![event]).await?;
        Ok(())
    }
}

/// Whether the step's platform fetches the workspace from the server.
fn is_downloaded(spec: &StepSpec) -> bool {
    matches!(&spec.run, StepRun::Script(script) if script.runner == RunnerKind::Pod)
}

fn footprint(plan: &Plan, step: u32) -> Footprint {
    let planned = plan.step(step);
    Footprint {
        steps: [step].into(),
        results: planned.references.iter().chain(&planned.body_references).copied().collect(),
        open_steps: false,
        job_input: true,
    }
}
