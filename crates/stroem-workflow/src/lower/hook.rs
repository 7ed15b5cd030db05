//! Hooks of a task or of a workspace: what they refer to.

use super::{
    action::lower_body,
    shape,
    sites::{Site, collect},
    step::is_hook_key,
};
use crate::{
    report::Span,
    table::ACTION,
    yaml::{Data, Node},
};

/// A hook as written.
pub(crate) struct HookModel {
    /// The action it refers to; none when it is inline or could not be read.
    pub(crate) action: Option<(String, Span)>,
    /// Its templates.
    pub(crate) sites: Vec<Site>,
    /// The child task of an inline `type: task`.
    pub(crate) task: Option<(String, Span)>,
}

/// The hooks below the keys of a task or a file.
pub(super) fn lower_hooks(holder: &Node) -> Vec<HookModel> {
    let hooks = holder.entries().iter().filter(|entry| is_hook_key(&entry.key));
    hooks
        .flat_map(|entry| match &entry.value.data {
            Data::List(items) => items.as_slice(),
            Data::Map(_) => std::slice::from_ref(&entry.value),
            Data::Null | Data::Bool(..) | Data::Number(..) | Data::Text(..) => &[],
        })
        .map(lower_hook)
        .collect()
}

fn lower_hook(node: &Node) -> HookModel {
    let mut sites = Vec::new();
    for entry in node.get("input").map(Node::entries).unwrap_or_default() {
        collect(&format!("input.{}", entry.key), &entry.value, &mut sites);
    }
    let action = node.get("action").and_then(|action| Some((action.as_text()?.to_owned(), action.span)));
    let inline = node.entry("action").is_none() && shape::written_type(&ACTION, node).is_some();
    let body = inline.then(|| lower_body(node, true));
    let task = body.as_ref().and_then(|body| body.task.clone());
    sites.extend(body.into_iter().flat_map(|body| body.sites));
    HookModel { action, sites, task }
}
