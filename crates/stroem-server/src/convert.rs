//! From the application's types to wire types.

use serde_json::Value;
use stroem_api::public::{
    AttemptInfo, ExplainedWorker, Explanation, FileProblem, JobDetail, JobListItem, RunningStep, StepInfo,
    TaskDetail, TaskListItem, WithdrawnTag, WorkerInfo, WorkspaceInfo,
};
use stroem_app::{JobView, LoadedWorkspace, WorkerView, WorkspaceView};
use stroem_core::Outcome;
use stroem_workflow::{Diagnostic, PlanStep, Severity, TaskEntry};

const MODE: &str = "distributed";

pub(crate) fn problem(diagnostic: &Diagnostic) -> FileProblem {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    FileProblem {
        severity: severity.to_owned(),
        code: diagnostic.code.to_owned(),
        file: diagnostic.file.clone(),
        line: diagnostic.line,
        column: diagnostic.column,
        message: diagnostic.message.clone(),
        suggestion: diagnostic.suggestion.clone(),
        excerpt: diagnostic.excerpt.clone(),
    }
}

pub(crate) fn workspace(view: &WorkspaceView) -> WorkspaceInfo {
    let name = view.name.to_string();
    match &view.loaded {
        Ok(loaded) => WorkspaceInfo {
            name,
            revision: Some(loaded.revision.to_string()),
            tasks: loaded.model.tasks.len() as u64,
            error: None,
            diagnostics: loaded.model.diagnostics.iter().map(problem).collect(),
        },
        Err(error) => WorkspaceInfo {
            name,
            revision: None,
            tasks: 0,
            error: Some(error.to_string()),
            diagnostics: Vec::new(),
        },
    }
}

pub(crate) fn task_item(workspace: &str, entry: &TaskEntry) -> TaskListItem {
    TaskListItem {
        id: entry.name.to_string(),
        name: entry.name.to_string(),
        workspace: workspace.to_owned(),
        folder: entry.folder.clone(),
        mode: MODE.to_owned(),
        has_triggers: !entry.triggers.is_empty(),
        description: entry.description.clone(),
        healthy: entry.healthy,
    }
}

pub(crate) fn task(workspace: &str, loaded: &LoadedWorkspace, entry: &TaskEntry) -> TaskDetail {
    TaskDetail {
        name: entry.name.to_string(),
        workspace: workspace.to_owned(),
        mode: MODE.to_owned(),
        description: entry.description.clone(),
        folder: entry.folder.clone(),
        input: entry.input.clone(),
        flow: entry.flow.clone(),
        triggers: entry.triggers.clone(),
        healthy: entry.healthy,
        diagnostics: loaded.diagnostics_of(entry.name.as_str()).iter().map(problem).collect(),
    }
}

pub(crate) fn job_item(job: &stroem_app::JobRow) -> JobListItem {
    JobListItem {
        job_id: job.id,
        workspace: job.workspace.to_string(),
        task_name: job.task.to_string(),
        mode: MODE.to_owned(),
        status: stroem_app::shown_status(job),
        source_type: job.source.source_type.clone(),
        source_id: job.source.source_id.clone(),
        revision: job.revision.to_string(),
        created_at: job.created_at,
        started_at: job.started_at,
        completed_at: job.completed_at,
        version: job.version,
    }
}

pub(crate) fn job(view: &JobView) -> JobDetail {
    let item = job_item(&view.detail.job);
    let steps = view.plan.steps.iter().zip(&view.detail.steps);
    JobDetail {
        job_id: item.job_id,
        workspace: item.workspace,
        task_name: item.task_name,
        mode: item.mode,
        status: item.status,
        source_type: item.source_type,
        source_id: item.source_id,
        revision: item.revision,
        created_at: item.created_at,
        started_at: item.started_at,
        completed_at: item.completed_at,
        version: item.version,
        input: view.detail.input.clone(),
        output: view.output(),
        error_message: view.detail.job.error.clone(),
        stop_requested_at: view.detail.job.stop_requested_at,
        parent_job_id: None,
        retry_of_job_id: None,
        steps: steps.map(|(planned, step)| step_info(view, planned, step)).collect(),
    }
}

fn step_info(view: &JobView, planned: &PlanStep, step: &stroem_app::StepView) -> StepInfo {
    let row = &step.row;
    StepInfo {
        step_name: planned.name.to_string(),
        action_name: planned.action_name.clone().unwrap_or_else(|| planned.name.to_string()),
        action_type: planned.action.action_type.to_string(),
        runner: planned.action.runner.map(|runner| runner.to_string()),
        depends_on: planned.depends_on.iter().map(|index| view.plan.step(*index).name.to_string()).collect(),
        input: step.input.clone(),
        output: step.output.clone(),
        status: row.status,
        worker_id: row.worker,
        started_at: row.started_at,
        completed_at: row.completed_at,
        error_message: row.error.clone(),
        attempt: row.attempt.0,
        attempts: step.attempts.iter().map(attempt).collect(),
        outcome: row.outcome.as_ref().map(outcome),
        required_tags: planned.required_tags.iter().map(ToString::to_string).collect(),
        ready_at: row.ready_at,
        continue_on_failure: planned.continue_on_failure,
    }
}

fn attempt(attempt: &stroem_app::AttemptView) -> AttemptInfo {
    AttemptInfo {
        attempt: attempt.attempt.0,
        worker_id: attempt.worker,
        ready_at: attempt.ready_at,
        claimed_at: attempt.claimed_at,
        started_at: attempt.started_at,
        ended_at: attempt.ended_at,
        outcome: attempt.outcome.as_ref().map(outcome),
    }
}

fn outcome(outcome: &Outcome) -> Value {
    serde_json::to_value(outcome).expect("an outcome is text and numbers")
}

pub(crate) fn worker(view: &WorkerView) -> WorkerInfo {
    let row = &view.row;
    let status = match (row.gone_at, row.draining) {
        (Some(_), _) => "gone",
        (None, true) => "draining",
        (None, false) => "active",
    };
    WorkerInfo {
        id: row.id,
        name: row.name.to_string(),
        status: status.to_owned(),
        tags: row.tags.iter().map(ToString::to_string).collect(),
        withdrawn_tags: row
            .withdrawn
            .iter()
            .map(|(tag, reason)| WithdrawnTag { tag: tag.clone(), reason: reason.clone() })
            .collect(),
        exclusive: row.exclusive,
        max_concurrent: row.capacity,
        running: view
            .leases
            .iter()
            .map(|lease| RunningStep {
                job_id: lease.lease.attempt.job,
                step: lease.lease.attempt.step,
                step_name: None,
                task_name: None,
                attempt: lease.lease.attempt.attempt.0,
                claimed_at: lease.claimed_at,
            })
            .collect(),
        version: row.version.clone(),
        registered_at: row.registered_at,
        last_seen: row.last_seen,
    }
}

pub(crate) fn explanation(explained: stroem_app::Explanation) -> Explanation {
    Explanation {
        step_name: explained.step,
        status: explained.status,
        summary: explained.summary,
        waits_for: explained.waits_for,
        required_tags: explained.required_tags.iter().map(ToString::to_string).collect(),
        workers: explained
            .workers
            .into_iter()
            .map(|worker| ExplainedWorker {
                name: worker.name,
                missing_tags: worker.missing_tags,
                free_slots: worker.free_slots,
                remark: worker.remark,
            })
            .collect(),
        ahead: explained.ahead,
        fails_at: explained.fails_at,
        last_lines: explained.last_lines,
    }
}
