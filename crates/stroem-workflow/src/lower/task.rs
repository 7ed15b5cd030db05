//! Tasks.

use stroem_core::{HumanDuration, TaskName};

use super::{
    hook::{HookModel, lower_hooks},
    input::{FieldModel, lower_schema},
    step::{StepModel, duration, lower_flow},
};
use crate::{
    report::{Report, Span},
    yaml::{Entry, Node},
};

/// A task as written.
pub(crate) struct TaskModel {
    pub(crate) name: TaskName,
    pub(crate) span: Span,
    pub(crate) label: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) folder: Option<String>,
    pub(crate) fields: Vec<FieldModel>,
    pub(crate) steps: Vec<StepModel>,
    pub(crate) hooks: Vec<HookModel>,
    pub(crate) timeout: Option<HumanDuration>,
    /// What this version reads but cannot run: place and words.
    pub(crate) unsupported: Vec<(Span, String)>,
}

pub(super) fn lower_task(report: &mut Report<'_>, entry: &Entry) -> Option<TaskModel> {
    let name = TaskName::new(&entry.key).ok()?;
    let node = &entry.value;
    let text = |key: &str| node.get(key).and_then(Node::as_text).map(str::to_owned);
    let folder = text("folder").or_else(|| folder_of(report.path(entry.span.file)));
    let mut unsupported = Vec::new();
    for key in ["retry", "on_success", "on_error", "on_cancel", "on_suspended"] {
        if let Some(found) = node.entry(key).filter(|found| !found.value.is_null()) {
            unsupported.push((found.span, format!("`{key}` of a task is not available in this version")));
        }
    }
    Some(TaskModel {
        name,
        span: entry.span,
        label: text("name"),
        description: text("description"),
        folder,
        fields: lower_schema(node.get("input")),
        steps: lower_flow(node.get("flow")),
        hooks: lower_hooks(node),
        timeout: duration(node.get("timeout")),
        unsupported,
    })
}

/// The path of a file's directory below `.workflows`; none at the top.
fn folder_of(path: &str) -> Option<String> {
    let (_, below) = path.split_once(".workflows/")?;
    below.rsplit_once('/').map(|(folder, _)| folder.to_owned())
}
