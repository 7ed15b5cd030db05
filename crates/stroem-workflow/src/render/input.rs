//! A step's `input:` map, with the action's schema applied. While secrets are hidden, a value that is exactly one secret
//! becomes a reference to it, and every other text that may show one becomes the mask as a whole.

use serde_json::{Map, Value, json};

use super::{MASK, RenderError, Scope, SecretFields, Visibility, context::Context, context::walk};
use crate::{
    InputField,
    template::{self, analysis},
};

pub(super) fn render(scope: Scope<'_>, step: u32) -> Result<Map<String, Value>, RenderError> {
    let planned = scope.plan.step(step);
    let renderer = Renderer {
        context: Context::new(scope, scope.job_input, &planned.references),
        secrets: SecretFields::of(&scope.plan.input),
        hidden: matches!(scope.visibility, Visibility::Hidden),
    };
    let mut rendered = Map::new();
    for (name, value) in &planned.input {
        let field = planned.action.input.get(name);
        rendered.insert(name.clone(), renderer.field(name, value, field)?);
    }
    for (name, field) in &planned.action.input {
        if rendered.get(name).is_some_and(|value| !value.is_null()) {
            continue;
        }
        match &field.default {
            Some(default) => {
                rendered.insert(name.clone(), renderer.field(name, default, Some(field))?);
            }
            None if field.required => {
                return Err(RenderError {
                    place: format!("input.{name}"),
                    message: "is required".to_owned(),
                });
            }
            None => {}
        }
    }
    Ok(rendered)
}

struct Renderer<'a> {
    context: Context<'a>,
    secrets: SecretFields<'a>,
    hidden: bool,
}

impl Renderer<'_> {
    fn field(&self, name: &str, value: &Value, field: Option<&InputField>) -> Result<Value, RenderError> {
        let place = format!("input.{name}");
        let mut concealed = false;
        let rendered = walk(&place, value, &mut |place, text| match self.conceal(text) {
            Some(hidden) => {
                concealed = true;
                Ok(hidden)
            }
            None => self.context.value(place, text),
        })?;
        let Some(field) = field.filter(|_| !concealed) else { return Ok(rendered) };
        if rendered.is_null() {
            return Ok(rendered);
        }
        if let Some(message) = field.refuse(&rendered) {
            return Err(RenderError { place, message });
        }
        Ok(if self.hidden && field.secret { Value::String(MASK.to_owned()) } else { rendered })
    }

    /// What stands for a text that may show a secret; none when it shows none.
    fn conceal(&self, text: &str) -> Option<Value> {
        if !self.hidden || !template::is_template(text) {
            return None;
        }
        // A template that does not parse fails when it is rendered.
        let usage = analysis::analyse(text).ok()?;
        if !self.secrets.touched(&usage) {
            return None;
        }
        let reference =
            template::single_expression(text).and_then(|expression| reference(expression, &usage));
        Some(match reference {
            Some(path) => json!({ "$secret": path }),
            None => Value::String(MASK.to_owned()),
        })
    }
}

/// The path of an expression that is nothing but one secret.
fn reference(expression: &str, usage: &analysis::Usage) -> Option<String> {
    let [path] = usage.paths.as_slice() else { return None };
    let dotted =
        expression.trim().replace("[\"", ".").replace("['", ".").replace("\"]", "").replace("']", "");
    if path.parts.len() < 2 || dotted != path.parts.join(".") {
        return None;
    }
    Some(if path.root() == "input" { dotted } else { path.parts[1..].join(".") })
}
