//! The whole step as a runner gets it: input first, then the action's body over it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use stroem_core::{ImageSpec, Language, RunnerKind, ScriptBody, ScriptSpec, Secret, StepRun, StepSpec};

use super::{RenderError, Scope, Visibility, context::Context};
use crate::{ActionType, BodyInput, InputField, PlanStep, ScriptSource, secrets, template};

pub(super) fn render(scope: Scope<'_>, step: u32) -> Result<StepSpec, RenderError> {
    let planned = scope.plan.step(step);
    let step_input = super::input::render(scope, step)?;
    let secrets = secret_values(scope, planned, &step_input);
    let body_input = match planned.body_input {
        BodyInput::Step => step_input,
        BodyInput::JobThenStep => {
            let mut merged = scope.job_input.clone();
            merged.extend(step_input);
            merged
        }
    };
    let context = Context::new(scope, &body_input, &planned.body_references);
    let action = &planned.action;
    let mut env = BTreeMap::new();
    for (name, value) in &action.env {
        env.insert(name.clone(), context.text(&format!("env.{name}"), value)?);
    }
    let run = match action.action_type {
        ActionType::Script => StepRun::Script(script(&context, planned)?),
        ActionType::Docker => StepRun::Image(image(&context, planned, RunnerKind::Docker)?),
        ActionType::Pod => StepRun::Image(image(&context, planned, RunnerKind::Pod)?),
        ActionType::Task | ActionType::Approval | ActionType::Agent => {
            let message = format!("a step of type `{}` does not run on a worker", action.action_type);
            return Err(RenderError { place: "type".to_owned(), message });
        }
    };
    Ok(StepSpec {
        run,
        env,
        timeout: planned.timeout,
        resources: action.resources,
        container: action.container.clone(),
        workdir: optional(&context, "workdir", action.workdir.as_deref())?,
        secrets,
    })
}

fn script(context: &Context<'_>, planned: &PlanStep) -> Result<ScriptSpec, RenderError> {
    let action = &planned.action;
    let body = match &action.source {
        Some(ScriptSource::Inline(text)) => ScriptBody::Inline(context.text("script", text)?),
        Some(ScriptSource::File(path)) => {
            let path = context.text("source", path)?;
            if let Some(message) = leaves_workspace(&path) {
                return Err(RenderError { place: "source".to_owned(), message });
            }
            ScriptBody::File(path)
        }
        None => {
            let message = "a script step needs `script` or `source`".to_owned();
            return Err(RenderError { place: "script".to_owned(), message });
        }
    };
    Ok(ScriptSpec {
        runner: action.runner.unwrap_or(RunnerKind::Local),
        language: action.language.unwrap_or(Language::Shell),
        body,
        interpreter: optional(context, "interpreter", action.interpreter.as_deref())?,
        args: list(context, "args", &action.args)?,
        dependencies: action.dependencies.clone(),
        manifest: action.manifest.as_ref().map(|value| context.tree("manifest", value)).transpose()?,
    })
}

fn image(context: &Context<'_>, planned: &PlanStep, runner: RunnerKind) -> Result<ImageSpec, RenderError> {
    let action = &planned.action;
    let image = optional(context, "image", action.image.as_deref())?.unwrap_or_default();
    if image.trim().is_empty() {
        return Err(RenderError { place: "image".to_owned(), message: "the image is empty".to_owned() });
    }
    Ok(ImageSpec {
        runner,
        image,
        cmd: optional(context, "cmd", action.cmd.as_deref())?,
        entrypoint: action.entrypoint.as_ref().map(|items| list(context, "entrypoint", items)).transpose()?,
        command: action.command.as_ref().map(|items| list(context, "command", items)).transpose()?,
        manifest: action.manifest.as_ref().map(|value| context.tree("manifest", value)).transpose()?,
    })
}

fn optional(context: &Context<'_>, place: &str, text: Option<&str>) -> Result<Option<String>, RenderError> {
    text.map(|text| context.text(place, text)).transpose()
}

fn list(context: &Context<'_>, place: &str, items: &[String]) -> Result<Vec<String>, RenderError> {
    items.iter().enumerate().map(|(index, item)| context.text(&format!("{place}[{index}]"), item)).collect()
}

/// Why a path is not one inside the workspace.
pub(crate) fn leaves_workspace(path: &str) -> Option<String> {
    let outside = path.is_empty() || path.starts_with('/') || path.split('/').any(|part| part == "..");
    outside.then(|| format!("`{path}` is not a path inside the workspace: write it relative, without `..`"))
}

/// Everything that must not appear in the step's log: the workspace's secrets, secret job inputs and secret step inputs.
fn secret_values(scope: Scope<'_>, planned: &PlanStep, step_input: &Map<String, Value>) -> Vec<Secret> {
    let mut values = BTreeSet::new();
    if let Visibility::Revealed(tree) = scope.visibility {
        values.extend(tree.values().map(|(_, value)| value.to_owned()));
    }
    let mut add = |schema: &indexmap::IndexMap<String, InputField>, input: &Map<String, Value>| {
        for value in schema.iter().filter(|(_, field)| field.secret).filter_map(|(name, _)| input.get(name)) {
            scalars(value, &mut values);
        }
    };
    add(&scope.plan.input, scope.job_input);
    add(&planned.action.input, step_input);
    values.into_iter().filter(|value| !secrets::is_too_short(value)).map(Secret::new).collect()
}

/// Texts and numbers inside a value; `true` and null are no secrets.
fn scalars(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(_) | Value::String(_) => {
            found.insert(template::to_text(value));
        }
        Value::Array(items) => items.iter().for_each(|item| scalars(item, found)),
        Value::Object(map) => map.values().for_each(|value| scalars(value, found)),
    }
}
