//! A task as lists, forms and the graph show it. Secrets stay hidden.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::{
    registry::Registry,
    task::{Draft, required_tags},
};
use crate::{
    ActionEntry, InputField, PlanStep, TaskEntry, TriggerEntry,
    lower::{
        TriggerModel,
        action::ActionModel,
        step::{StepAction, StepModel},
        task::TaskModel,
    },
    render::MASK,
    report::Report,
};

/// The task as lists and pages show it.
pub(super) fn entry(
    report: &Report<'_>,
    registry: &Registry<'_>,
    task: &TaskModel,
    draft: &Draft,
    healthy: bool,
) -> TaskEntry {
    let schema: IndexMap<&str, InputField> =
        task.fields.iter().map(|field| (field.name.as_str(), without_secret(&field.field))).collect();
    let planned = |index: usize| draft.plan.as_ref().map(|plan| &plan.steps[index]);
    let flow: Map<String, Value> = task
        .steps
        .iter()
        .enumerate()
        .map(|(index, step)| (step.name.to_string(), flow_step(step, planned(index))))
        .collect();
    let names_task =
        |trigger: &&&TriggerModel| trigger.tasks.iter().any(|(name, _)| name == task.name.as_str());
    TaskEntry {
        name: task.name.clone(),
        label: task.label.clone(),
        description: task.description.clone(),
        folder: task.folder.clone(),
        file: report.path(task.span.file).to_owned(),
        healthy,
        input: schema_json(&schema),
        flow: Value::Object(flow),
        triggers: registry.triggers.values().filter(names_task).map(|trigger| trigger.json.clone()).collect(),
    }
}

/// The named actions as lists show them.
pub(super) fn actions(report: &Report<'_>, registry: &Registry<'_>) -> BTreeMap<String, ActionEntry> {
    let entry = |action: &ActionModel| {
        let body = action.body.as_ref();
        ActionEntry {
            file: report.path(action.span.file).to_owned(),
            healthy: body.is_some() && !report.is_broken(action.span.file),
            action_type: body.map(|body| body.action.action_type),
            runner: body.and_then(|body| body.action.runner),
            language: body.and_then(|body| body.action.language),
            required_tags: body.map(|body| required_tags(&body.action, &body.tags, &[])).unwrap_or_default(),
            description: action.description.clone(),
        }
    };
    registry.actions.iter().map(|(name, action)| ((*name).to_owned(), entry(action))).collect()
}

/// The triggers as lists show them.
pub(super) fn triggers(report: &Report<'_>, registry: &Registry<'_>) -> BTreeMap<String, TriggerEntry> {
    let entry = |trigger: &TriggerModel| TriggerEntry {
        file: report.path(trigger.span.file).to_owned(),
        healthy: !report.is_broken(trigger.span.file),
        json: trigger.json.clone(),
    };
    registry.triggers.iter().map(|(name, trigger)| ((*name).to_owned(), entry(trigger))).collect()
}

fn without_secret(field: &InputField) -> InputField {
    let mut shown = field.clone();
    if shown.secret && shown.default.is_some() {
        shown.default = Some(Value::String(MASK.to_owned()));
    }
    shown
}

/// The schema with types in their YAML spelling and without what is not written.
fn schema_json(schema: &IndexMap<&str, InputField>) -> Value {
    let field = |field: &InputField| {
        let mut map = Map::new();
        map.insert("type".to_owned(), field.input_type.as_str().into());
        let mut optional =
            |key: &str, value: Option<Value>| value.map(|value| map.insert(key.to_owned(), value));
        optional("name", field.name.clone().map(Value::String));
        optional("description", field.description.clone().map(Value::String));
        optional("required", Some(field.required.into()));
        optional("secret", field.secret.then_some(Value::Bool(true)));
        optional("default", field.default.clone());
        optional("options", field.options.clone().map(Value::Array));
        optional("allow_custom", field.allow_custom.then_some(Value::Bool(true)));
        optional("multiple", field.multiple.then_some(Value::Bool(true)));
        optional("order", field.order.map(Value::from));
        Value::Object(map)
    };
    Value::Object(schema.iter().map(|(name, value)| ((*name).to_owned(), field(value))).collect())
}

fn flow_step(step: &StepModel, planned: Option<&PlanStep>) -> Value {
    let names: Vec<&str> = step.depends_on.iter().map(|(name, _)| name.as_str()).collect();
    let mut map = Map::new();
    let mut put = |key: &str, value: Value| map.insert(key.to_owned(), value);
    if let StepAction::Reference(name, _) = &step.action {
        put("action", name.as_str().into());
    }
    if let Some(planned) = planned {
        put("type", planned.action.action_type.as_str().into());
        if let Some(runner) = planned.action.runner {
            put("runner", runner.as_str().into());
        }
        put("required_tags", json!(planned.required_tags));
    }
    put("depends_on", names.into());
    if !step.tags.is_empty() {
        put("tags", json!(step.tags));
    }
    if let Some(when) = &step.when {
        put("when", when.as_str().into());
    }
    if let Some(each) = &step.for_each {
        put("for_each", each.clone());
    }
    if let Some(description) = &step.description {
        put("description", description.as_str().into());
    }
    if step.continue_on_failure {
        put("continue_on_failure", true.into());
    }
    if let Some(timeout) = planned.and_then(|planned| planned.timeout) {
        put("timeout", timeout.to_string().into());
    }
    Value::Object(map)
}
