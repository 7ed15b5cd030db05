//! Checks that need more than one place: names across files, the graph of a flow, templates against what they may refer
//! to. Ends with a plan for every task that is in order.

mod connections;
mod entry;
mod graph;
mod hooks;
mod registry;
mod secrets;
mod task;
mod templates;
mod triggers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stroem_core::TaskName;

use self::{registry::Registry, task::Draft};
use crate::{
    ActionEntry, Diagnostic, Plan, PlanError, PlanStep, SecretTree, Severity, TaskEntry, TriggerEntry,
    lower::{FileModel, step::StepModel, task::TaskModel},
    report::{Report, Span},
    routing::Route,
};

/// What a workspace holds, checked.
pub(crate) struct Checked {
    pub(crate) tasks: BTreeMap<TaskName, TaskEntry>,
    pub(crate) actions: BTreeMap<String, ActionEntry>,
    pub(crate) triggers: BTreeMap<String, TriggerEntry>,
    pub(crate) plans: BTreeMap<TaskName, Result<Arc<Plan>, PlanError>>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) secrets: SecretTree,
    pub(crate) routes: Vec<Route>,
}

/// Checks all files together. `unread` are files whose text could not be read to its end.
pub(crate) fn check(mut report: Report<'_>, files: &[FileModel], unread: &BTreeSet<u32>) -> Checked {
    let secrets = secrets::check(&mut report, files);
    let registry = Registry::new(&mut report, files, &secrets, unread);
    connections::check(&mut report, files, &registry);
    let actions = templates::check_actions(&mut report, &registry);
    let mut drafts = Vec::new();
    for model in files.iter().flat_map(|file| &file.tasks) {
        let draft = task::check(&mut report, &registry, &actions, model);
        // Of two tasks with one name the first counts; the second is a problem of its file.
        if registry.tasks.get(model.name.as_str()).is_some_and(|first| std::ptr::eq(*first, model)) {
            drafts.push((model, draft));
        }
    }
    let by_triggers = triggers::check(&mut report, files, &registry);
    let by_hooks = hooks::check(&mut report, files, &registry);
    let by_tasks = drafts.iter().flat_map(|(_, draft)| &draft.uses);
    for used in by_tasks.chain(&by_triggers).chain(&by_hooks) {
        blame(&mut report, used);
    }
    let broken = |report: &Report<'_>, draft: &Draft| {
        draft.files.iter().any(|file| report.is_broken(*file)) || draft.plan.is_none()
    };
    let health: Vec<bool> = drafts.iter().map(|(_, draft)| !broken(&report, draft)).collect();
    let paths: Vec<Vec<String>> = drafts
        .iter()
        .map(|(_, draft)| draft.files.iter().map(|file| report.path(*file).to_owned()).collect())
        .collect();
    let entries: Vec<TaskEntry> = drafts
        .iter()
        .zip(&health)
        .map(|((model, draft), healthy)| entry::entry(&report, &registry, model, draft, *healthy))
        .collect();
    let routes = drafts.iter().flat_map(|(model, draft)| routes(&report, model, draft)).collect();
    let (actions, triggers) = (entry::actions(&report, &registry), entry::triggers(&report, &registry));
    let diagnostics = report.into_diagnostics();
    let mut plans = BTreeMap::new();
    for (((model, draft), healthy), paths) in drafts.into_iter().zip(health).zip(paths) {
        let name = model.name.to_string();
        let plan = match draft.plan {
            Some(plan) if healthy && draft.unsupported.is_empty() => Ok(Arc::new(plan)),
            Some(_) if healthy => Err(PlanError::Unsupported { task: name, reasons: draft.unsupported }),
            _ => Err(PlanError::Broken { task: name, diagnostics: errors_of(&diagnostics, &paths) }),
        };
        plans.insert(model.name.clone(), plan);
    }
    let tasks = entries.into_iter().map(|entry| (entry.name.clone(), entry)).collect();
    Checked { tasks, actions, triggers, plans, diagnostics, secrets, routes }
}

/// What workers each planned step needs.
fn routes(report: &Report<'_>, model: &TaskModel, draft: &Draft) -> Vec<Route> {
    let planned = draft.plan.iter().flat_map(|plan| &plan.steps).zip(&model.steps);
    let route = |(step, written): (&PlanStep, &StepModel)| Route {
        task: model.name.to_string(),
        step: step.name.to_string(),
        required_tags: step.required_tags.clone(),
        place: report.at(written.span),
    };
    planned.map(route).collect()
}

fn errors_of(diagnostics: &[Diagnostic], paths: &[String]) -> Vec<Diagnostic> {
    let in_files = |diagnostic: &&Diagnostic| paths.contains(&diagnostic.file);
    let errors: Vec<Diagnostic> =
        diagnostics.iter().filter(in_files).filter(|d| d.severity == Severity::Error).cloned().collect();
    if errors.is_empty() { diagnostics.iter().filter(in_files).cloned().collect() } else { errors }
}

/// A reference to an action or a task.
struct Use {
    what: &'static str,
    name: String,
    /// The place of the reference.
    span: Span,
    /// The file of what it refers to.
    file: u32,
}

/// Says at a reference that the file of what it refers to has errors.
fn blame(report: &mut Report<'_>, used: &Use) {
    if used.file != used.span.file && report.is_broken(used.file) {
        let path = report.path(used.file);
        let message = format!("the {} `{}` is out of service: {path} has errors", used.what, used.name);
        let help = format!("mend the errors of {path}, which are listed with it");
        report.warning(used.span, "action_out_of_service", message, Some(help));
    }
}
