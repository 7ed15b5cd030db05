//! Triggers against the tasks that they start, and against each other.

use std::collections::BTreeMap;

use super::{Use, registry::Registry};
use crate::{
    lower::FileModel,
    report::{Report, Span},
};

/// Checks every trigger; gives the tasks that they use.
pub(super) fn check(report: &mut Report<'_>, files: &[FileModel], registry: &Registry<'_>) -> Vec<Use> {
    let mut uses = Vec::new();
    let mut addresses: BTreeMap<&str, Span> = BTreeMap::new();
    for trigger in files.iter().flat_map(|file| &file.triggers) {
        for (name, span) in &trigger.tasks {
            if let Some(task) = registry.task(report, name, *span) {
                uses.push(Use { what: "task", name: name.clone(), span: *span, file: task.span.file });
            }
        }
        let Some((address, span)) = &trigger.address else { continue };
        if let Some(first) = addresses.get(address.as_str()) {
            let message =
                format!("the address `/hooks/{address}` is used twice, first at {}", report.place(*first));
            let help = "write another `name`".to_owned();
            report.error_with(*span, "duplicate_name", message, Some(help));
        } else {
            addresses.insert(address, *span);
        }
    }
    uses
}
