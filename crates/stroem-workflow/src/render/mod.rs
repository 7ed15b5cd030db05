//! Templates of a plan's steps: conditions, inputs, bodies. Reads the plan, never the YAML: a job renders from what it
//! was created with.

mod context;
mod input;
mod spec;

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use stroem_core::{StepSpec, StepStatus};

pub(crate) use context::SecretFields;
pub(crate) use spec::leaves_workspace;

use self::context::Context;
use crate::{Plan, SecretTree};

/// The result of a step as templates see it.
#[derive(Debug, Clone, PartialEq)]
pub struct StepResult {
    /// Its status.
    pub status: StepStatus,
    /// `<step>.output`; none when it gave none.
    pub output: Option<Value>,
    /// `<step>.error`; none when it did not fail.
    pub error: Option<String>,
}

/// Whether secrets show their value.
#[derive(Debug, Clone, Copy)]
pub enum Visibility<'a> {
    /// For what is stored and shown: a secret renders as `{"$secret": "path"}` when it is the whole value and as a mask
    /// inside a longer text.
    Hidden,
    /// For the worker that runs the step.
    Revealed(&'a SecretTree),
}

/// Everything a template may refer to.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The job's input, checked and with defaults; secret fields hold their plain value.
    pub job_input: &'a Map<String, Value>,
    /// Results of the steps that the rendered step refers to, by index.
    pub results: &'a BTreeMap<u32, StepResult>,
    /// Whether secrets show their value.
    pub visibility: Visibility<'a>,
}

/// Why a template could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct RenderError {
    /// Which key, such as `input.name`, `when`, `script`, `env.PATH`.
    pub place: String,
    /// What is wrong, with the line inside the template where known.
    pub message: String,
}

/// What stands for a secret inside a longer text.
pub const MASK: &str = "••••••";

/// Evaluates `when`. A missing condition is true; empty, `false`, `0`, `null` and `none` in any case are false.
///
/// # Errors
/// [`RenderError`] when the template fails; the step then fails.
pub fn condition(scope: Scope<'_>, step: u32) -> Result<bool, RenderError> {
    let planned = scope.plan.step(step);
    let Some(when) = &planned.when else { return Ok(true) };
    let context = Context::new(scope, scope.job_input, &planned.references);
    let value = context.value("when", when)?;
    Ok(match &value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::String(text) => {
            !matches!(text.trim().to_lowercase().as_str(), "" | "false" | "0" | "null" | "none")
        }
    })
}

/// Renders the step's `input` map and applies the action's input schema (defaults, required, types).
///
/// # Errors
/// [`RenderError`] for the first value that fails.
pub fn step_input(scope: Scope<'_>, step: u32) -> Result<Map<String, Value>, RenderError> {
    input::render(scope, step)
}

/// Renders the whole step for the worker that runs it. `scope.visibility` must be `Revealed`.
///
/// # Errors
/// [`RenderError`] for the first value that fails.
pub fn step_spec(scope: Scope<'_>, step: u32) -> Result<StepSpec, RenderError> {
    spec::render(scope, step)
}
