//! Steps: by reference or inline, in a map or in a list.

use serde_json::Value;
use stroem_core::{HumanDuration, StepName, Tag};

use super::{
    action::{Body, lower_body},
    shape,
    sites::{Site, collect},
};
use crate::{
    report::{Report, Span},
    table::{ACTION, Construct, HOOK, Kind, Named, STEP},
    yaml::{Data, Entry, Node},
};

/// A step as written.
pub(crate) struct StepModel {
    pub(crate) name: StepName,
    pub(crate) span: Span,
    pub(crate) description: Option<String>,
    pub(crate) action: StepAction,
    pub(crate) depends_on: Vec<(String, Span)>,
    pub(crate) continue_on_failure: bool,
    pub(crate) when: Option<String>,
    pub(crate) when_site: Option<Site>,
    /// A condition that is neither a template nor one of the words for true and false.
    pub(crate) constant_when: Option<(String, Span)>,
    pub(crate) input: Vec<(String, Span, Value)>,
    pub(crate) input_sites: Vec<Site>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) timeout: Option<HumanDuration>,
    /// What this version reads but cannot run: place and words.
    pub(crate) unsupported: Vec<(Span, String)>,
    pub(crate) for_each: Option<Value>,
}

/// What a step runs.
pub(crate) enum StepAction {
    Reference(String, Span),
    Inline(Box<Body>),
    /// Neither could be read.
    Missing,
}

/// Checks the shape of a flow.
pub(super) fn check_flow(report: &mut Report<'_>, entry: &Entry) {
    let count = match &entry.value.data {
        Data::Map(entries) => {
            for step in entries {
                shape::name(report, Named::Step, step);
                check_step(report, &STEP, &step.value, step.span);
            }
            entries.len()
        }
        Data::List(items) => {
            check_list(report, items);
            items.len()
        }
        _ => {
            let message = format!("`flow` takes a map of steps, not {}", entry.value.describe());
            report.error(entry.value.span, "wrong_type", message);
            return;
        }
    };
    if count == 0 {
        report.error(entry.span, "no_steps", "a flow needs at least one step");
    } else if count > stroem_core::limits::STEPS_PER_TASK {
        let message = format!(
            "a flow can have {} steps at most, this one has {count}",
            stroem_core::limits::STEPS_PER_TASK
        );
        report.error(entry.span, "too_many_steps", message);
    }
}

fn check_list(report: &mut Report<'_>, items: &[Node]) {
    let mut seen = std::collections::HashMap::new();
    for item in items {
        check_step(report, &STEP, item, item.span);
        let Some(entry) = item.entry("name") else {
            if matches!(item.data, Data::Map(_)) {
                let help = "add `name: NAME`; other steps refer to it by that".to_owned();
                let message = "a step in a list needs the key `name`";
                report.error_with(item.span, "missing_key", message, Some(help));
            }
            continue;
        };
        let Some(name) = entry.value.as_scalar() else { continue };
        if let Err(error) = StepName::new(name) {
            report.error(entry.value.span, "bad_name", error.to_string());
        }
        if let Some(first) = seen.insert(name, entry.value.span) {
            let message =
                format!("the step `{name}` is written twice in this flow, first at {}", report.place(first));
            report.error(entry.value.span, "duplicate_name", message);
        }
    }
}

/// Checks a hook: a step without a place in a flow.
pub(super) fn check_hook(report: &mut Report<'_>, node: &Node, at: Span) {
    check_step(report, &HOOK, node, at);
}

fn check_step(report: &mut Report<'_>, construct: &Construct, node: &Node, at: Span) {
    if !shape::is_map(report, construct.title, node) {
        return;
    }
    let reference = node.entry("action");
    let inline_type = node.entry("type");
    match (reference, inline_type) {
        (Some(_), Some(both)) => {
            let message =
                "`action` refers to an action and `type` makes an inline one; a step has one of them";
            let help = "remove `action`, or remove `type` and the keys that belong to it".to_owned();
            report.error_with(both.span, "action_and_type", message, Some(help));
        }
        (None, None) => {
            let message = format!("{} needs `action`, or `type` for an inline one", construct.title);
            let help = shape::guess_type(&ACTION, node)
                .unwrap_or_else(|| "add `action: NAME`, or `type: script` and `script`".to_owned());
            report.error_with(at, "missing_key", message, Some(help));
        }
        _ => {}
    }
    if node.entry("for_each").is_none() && construct.key("sequential").is_some() {
        let changes = "how the items of a loop run, and the step has no `for_each`";
        shape::no_effect(report, node, "sequential", changes);
    }
    let action_type = inline_type.and_then(|_| shape::written_type(&ACTION, node));
    for entry in node.entries() {
        if construct.key(&entry.key).is_some() {
            shape::check_key(report, construct, None, entry);
        } else if shape::action_only(&entry.key) {
            if reference.is_some() && entry.key != "type" {
                let message = format!("`{}` belongs to the action that this step refers to", entry.key);
                let help = "write it at the action, or remove `action` and make the step inline with `type`"
                    .to_owned();
                report.error_with(entry.span, "key_of_the_action", message, Some(help));
            } else {
                shape::check_key(report, &ACTION, action_type, entry);
            }
        } else {
            let action_keys = ACTION.keys.iter().filter(|key| reference.is_none() && key.is_on(action_type));
            let names = construct.keys.iter().chain(action_keys).map(|key| key.name);
            shape::unknown_key(report, construct.title, entry, names);
        }
    }
    if reference.is_none() && action_type.is_some() {
        shape::check_required(report, &ACTION, action_type, node, at);
    }
    if reference.is_none() {
        super::action::check_keys_together(report, node, at, action_type);
    }
}

/// The steps of a flow, as far as they are well-formed.
pub(crate) fn lower_flow(flow: Option<&Node>) -> Vec<StepModel> {
    let Some(flow) = flow else { return Vec::new() };
    match &flow.data {
        Data::Map(entries) => {
            entries.iter().filter_map(|entry| lower_step(&entry.key, entry.span, &entry.value)).collect()
        }
        Data::List(items) => {
            let named = |item: &Node| {
                let name = item.get("name")?;
                lower_step(name.as_scalar()?, name.span, item)
            };
            let mut steps: Vec<StepModel> = items.iter().filter_map(named).collect();
            let mut seen = std::collections::HashSet::new();
            steps.retain(|step| seen.insert(step.name.clone()));
            steps
        }
        Data::Null | Data::Bool(..) | Data::Number(..) | Data::Text(..) => Vec::new(),
    }
}

fn lower_step(name: &str, span: Span, node: &Node) -> Option<StepModel> {
    let name = StepName::new(name).ok()?;
    let action = match node.get("action") {
        Some(action) => match action.as_text() {
            Some(text) => StepAction::Reference(text.to_owned(), action.span),
            None => StepAction::Missing,
        },
        None if shape::written_type(&ACTION, node).is_some() => {
            StepAction::Inline(Box::new(lower_body(node, true)))
        }
        None => StepAction::Missing,
    };
    let mut input_sites = Vec::new();
    let mut input = Vec::new();
    for entry in node.get("input").map(Node::entries).unwrap_or_default() {
        collect(&format!("input.{}", entry.key), &entry.value, &mut input_sites);
        input.push((entry.key.clone(), entry.span, entry.value.to_json()));
    }
    let when = node.get("when");
    Some(StepModel {
        name,
        span,
        description: node.get("description").and_then(Node::as_text).map(str::to_owned),
        action,
        depends_on: names(node.get("depends_on")),
        continue_on_failure: flag(node, "continue_on_failure"),
        when: when.and_then(Node::as_scalar).map(str::to_owned),
        constant_when: when.and_then(constant),
        when_site: when.and_then(|when| Site::of("when", when)),
        input,
        input_sites,
        tags: tags(node.get("tags")),
        timeout: duration(node.get("timeout")),
        unsupported: unsupported(node),
        for_each: node.get("for_each").map(Node::to_json),
    })
}

fn constant(when: &Node) -> Option<(String, Span)> {
    let text = when.as_text().filter(|text| !crate::template::is_template(text))?.trim();
    let known = ["", "true", "false", "null", "none", "0", "1"];
    (!known.contains(&text.to_lowercase().as_str())).then(|| (text.to_owned(), when.span))
}

fn unsupported(node: &Node) -> Vec<(Span, String)> {
    let mut found = Vec::new();
    for key in ["for_each", "sequential", "retry"] {
        if let Some(entry) = node.entry(key).filter(|entry| entry.value.as_bool() != Some(false)) {
            found.push((entry.span, format!("`{key}` is not available in this version")));
        }
    }
    found
}

pub(super) fn names(node: Option<&Node>) -> Vec<(String, Span)> {
    let items = node.and_then(Node::as_list).unwrap_or_default();
    items.iter().filter_map(|item| Some((item.as_scalar()?.to_owned(), item.span))).collect()
}

pub(super) fn flag(node: &Node, key: &str) -> bool {
    node.get(key).and_then(Node::as_bool).unwrap_or(false)
}

pub(super) fn tags(node: Option<&Node>) -> Vec<Tag> {
    names(node).iter().filter_map(|(text, _)| Tag::new(text).ok()).collect()
}

pub(super) fn duration(node: Option<&Node>) -> Option<HumanDuration> {
    node?.as_scalar()?.parse().ok()
}

/// Whether a kind of map is a hook's.
pub(crate) fn is_hook_key(name: &str) -> bool {
    crate::table::FILE.key(name).is_some_and(|key| matches!(key.kind, Kind::ListOf(_)))
}
