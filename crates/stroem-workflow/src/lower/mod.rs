//! Tree to typed model, one file at a time: the tables check the shape, lowering takes what is well-formed, and goes on
//! after every problem. What needs other files is the business of `check`.

pub(crate) mod action;
mod cron;
pub(crate) mod hook;
pub(crate) mod input;
mod shape;
pub(crate) mod sites;
pub(crate) mod step;
pub(crate) mod task;
mod value;

use serde_json::Value;

use self::{
    action::{ActionModel, lower_action},
    hook::{HookModel, lower_hooks},
    step::is_hook_key,
    task::{TaskModel, lower_task},
};
use crate::{
    report::{Report, Span},
    table::FILE,
    yaml::{Data, Entry, Node},
};

/// One file.
#[derive(Default)]
pub(crate) struct FileModel {
    pub(crate) actions: Vec<ActionModel>,
    pub(crate) tasks: Vec<TaskModel>,
    pub(crate) secrets: Option<Node>,
    pub(crate) connection_types: Vec<Named>,
    pub(crate) connections: Vec<Named>,
    pub(crate) triggers: Vec<TriggerModel>,
    /// Those of the workspace; a task has its own.
    pub(crate) hooks: Vec<HookModel>,
}

/// A definition that is kept as a tree.
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) node: Node,
}

/// A trigger.
pub(crate) struct TriggerModel {
    pub(crate) name: String,
    pub(crate) span: Span,
    /// Tasks that it names.
    pub(crate) tasks: Vec<(String, Span)>,
    /// The written `name` of a webhook.
    pub(crate) address: Option<(String, Span)>,
    /// As lists show it.
    pub(crate) json: Value,
}

/// Lowers one file.
pub(crate) fn lower(report: &mut Report<'_>, file: u32, root: Option<&Node>) -> FileModel {
    let Some(root) = root.filter(|root| !root.is_null()) else { return FileModel::default() };
    let start = Span { file, line: 1, column: 1, length: 1 };
    shape::check(report, &FILE, root, start);
    let section = |key: &str| root.get(key).map(Node::entries).unwrap_or_default();
    for entry in root.entries() {
        let used = match &entry.value.data {
            Data::Map(entries) => !entries.is_empty(),
            Data::List(items) => !items.is_empty(),
            _ => false,
        };
        if used && (is_hook_key(&entry.key) || entry.key == "mcp_servers") {
            not_yet_supported(
                report,
                entry.span,
                &format!("`{}` is not available in this version", entry.key),
            );
        }
    }
    FileModel {
        actions: section("actions").iter().map(|entry| lower_action(report, entry)).collect(),
        tasks: section("tasks").iter().filter_map(|entry| lower_task(report, entry)).collect(),
        secrets: root.get("secrets").cloned(),
        connection_types: section("connection_types").iter().map(named).collect(),
        connections: section("connections").iter().map(named).collect(),
        triggers: section("triggers").iter().map(|entry| trigger(report, entry)).collect(),
        hooks: lower_hooks(root),
    }
}

/// Warns of something that is read and checked but does not work yet.
pub(crate) fn not_yet_supported(report: &mut Report<'_>, span: Span, words: &str) {
    report.warning(span, "not_yet_supported", words, None);
}

fn named(entry: &Entry) -> Named {
    Named { name: entry.key.clone(), span: entry.span, node: entry.value.clone() }
}

fn trigger(report: &mut Report<'_>, entry: &Entry) -> TriggerModel {
    let node = &entry.value;
    not_yet_supported(report, entry.span, "triggers do not start tasks in this version");
    let text = |key: &str| node.get(key).and_then(Node::as_text);
    let tasks = ["task", "target_task"].iter().filter_map(|key| {
        let node = node.get(key)?;
        Some((node.as_text()?.to_owned(), node.span))
    });
    let webhook = text("type") == Some("webhook");
    if webhook && text("mode") != Some("sync") {
        let changes = "how long a caller waits, and without `mode: sync` it does not";
        shape::no_effect(report, node, "timeout_secs", changes);
    }
    let mut json = serde_json::Map::new();
    json.insert("name".to_owned(), entry.key.clone().into());
    json.insert("type".to_owned(), text("type").unwrap_or_default().into());
    if let Some(cron) = text("cron") {
        json.insert("cron".to_owned(), cron.into());
    }
    json.insert("task".to_owned(), text("task").unwrap_or_default().into());
    json.insert("enabled".to_owned(), node.get("enabled").and_then(Node::as_bool).unwrap_or(true).into());
    json.insert(
        "input".to_owned(),
        node.get("input").map_or_else(|| Value::Object(serde_json::Map::new()), Node::to_json),
    );
    TriggerModel {
        name: entry.key.clone(),
        span: entry.span,
        tasks: tasks.collect(),
        address: node
            .get("name")
            .filter(|_| webhook)
            .and_then(|name| Some((name.as_text()?.to_owned(), name.span))),
        json: Value::Object(json),
    }
}
