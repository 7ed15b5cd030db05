//! Hooks against what they refer to.

use super::{
    Use,
    registry::Registry,
    templates::{Allowed, Found, StepTarget, check_site},
};
use crate::{
    lower::{FileModel, hook::HookModel},
    report::Report,
};

/// Checks every hook; gives the actions and tasks that they use.
pub(super) fn check(report: &mut Report<'_>, files: &[FileModel], registry: &Registry<'_>) -> Vec<Use> {
    let hooks =
        files.iter().flat_map(|file| file.hooks.iter().chain(file.tasks.iter().flat_map(|t| &t.hooks)));
    hooks.flat_map(|hook| check_hook(report, registry, hook)).collect()
}

fn check_hook(report: &mut Report<'_>, registry: &Registry<'_>, hook: &HookModel) -> Vec<Use> {
    let mut uses = Vec::new();
    if let Some((name, span)) = &hook.action
        && let Some(action) = registry.action(report, name, *span)
    {
        uses.push(Use { what: "action", name: name.clone(), span: *span, file: action.span.file });
    }
    if let Some((name, span)) = &hook.task
        && let Some(task) = registry.task(report, name, *span)
    {
        uses.push(Use { what: "task", name: name.clone(), span: *span, file: task.span.file });
    }
    let allowed = Allowed { inputs: None, of: "this hook", no_secrets: false };
    let mut found = Found::default();
    for site in &hook.sites {
        check_site(report, registry, site, &allowed, &mut found);
    }
    for path in found.steps {
        let name = match path.target {
            StepTarget::Variable(name) | StepTarget::Named(name) => name,
            StepTarget::Any => "steps".to_owned(),
        };
        let message = format!("a hook does not see the steps of a job, such as `{name}`");
        let help = "use what is below `hook`, such as `hook.status` or `hook.error_message`".to_owned();
        report.error_with(path.span, "unknown_variable", message, Some(help));
    }
    uses
}
