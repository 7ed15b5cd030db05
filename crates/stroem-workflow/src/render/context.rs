//! The variables that a template sees, made when the first template needs them and from the results it may refer to
//! only: rendering one step never costs what the whole job holds.

use std::cell::OnceCell;

use indexmap::IndexMap;
use minijinja::{Value as Variable, value::Serde};
use serde_json::{Map, Value};
use stroem_core::template_name;

use super::{RenderError, Scope, Visibility};
use crate::{
    InputField,
    template::{self, TemplateError, analysis},
};

/// Variables of one rendered map or body.
pub(super) struct Context<'a> {
    scope: Scope<'a>,
    input: &'a Map<String, Value>,
    references: &'a [u32],
    variables: OnceCell<Variable>,
}

impl<'a> Context<'a> {
    /// `input` is what templates see under that name; `references` the steps they may refer to.
    pub(super) fn new(scope: Scope<'a>, input: &'a Map<String, Value>, references: &'a [u32]) -> Self {
        Self { scope, input, references, variables: OnceCell::new() }
    }

    /// Renders one template to text.
    pub(super) fn text(&self, place: &str, text: &str) -> Result<String, RenderError> {
        if !template::is_template(text) {
            return Ok(text.to_owned());
        }
        template::render_text(text, self.variables()).map_err(|error| self.error(place, text, &error))
    }

    /// Renders one template; a single expression keeps its type.
    pub(super) fn value(&self, place: &str, text: &str) -> Result<Value, RenderError> {
        if !template::is_template(text) {
            return Ok(Value::String(text.to_owned()));
        }
        template::render_value(text, self.variables()).map_err(|error| self.error(place, text, &error))
    }

    /// Renders every text inside a value.
    pub(super) fn tree(&self, place: &str, value: &Value) -> Result<Value, RenderError> {
        walk(place, value, &mut |place, text| self.value(place, text))
    }

    fn variables(&self) -> &Variable {
        self.variables.get_or_init(|| self.build())
    }

    fn build(&self) -> Variable {
        let mut variables: IndexMap<String, Variable> = IndexMap::new();
        let mut steps: IndexMap<String, Variable> = IndexMap::new();
        for (index, result) in self.references.iter().filter_map(|i| Some((*i, self.scope.results.get(i)?))) {
            let name = self.scope.plan.step(index).name.as_str();
            let variable = Variable::from_pairs([
                ("output", Variable::from(Serde(&result.output))),
                ("error", Variable::from(Serde(&result.error))),
            ]);
            variables.insert(template_name(name), variable.clone());
            steps.insert(template_name(name), variable.clone());
            steps.insert(name.to_owned(), variable);
        }
        // After the steps: a step that is called `input` is reached as `steps["input"]`.
        variables.insert("steps".to_owned(), Variable::from_pairs(steps));
        variables.insert("input".to_owned(), Variable::from(Serde(self.input)));
        if let Visibility::Revealed(secrets) = self.scope.visibility {
            let secrets = Variable::from(Serde(secrets.as_map()));
            variables.insert("secret".to_owned(), secrets.clone());
            variables.insert("secrets".to_owned(), secrets);
        }
        Variable::from_pairs(variables)
    }

    /// Words for people; the engine's own words may quote a value, so they are withheld where secrets are near.
    fn error(&self, place: &str, text: &str, error: &TemplateError) -> RenderError {
        let secret = analysis::analyse(text)
            .is_ok_and(|usage| SecretFields::of(&self.scope.plan.input).touched(&usage));
        let message = if secret {
            let line = error.line.unwrap_or(1);
            format!(
                "the template fails at line {line}; the reason is withheld, as the template uses a secret"
            )
        } else {
            error.to_string()
        };
        RenderError { place: place.to_owned(), message }
    }
}

/// The fields of an input schema that hold secrets.
pub(crate) struct SecretFields<'a>(Vec<&'a str>);

impl<'a> SecretFields<'a> {
    pub(crate) fn of(schema: &'a IndexMap<String, InputField>) -> Self {
        Self(schema.iter().filter(|(_, field)| field.secret).map(|(name, _)| name.as_str()).collect())
    }

    /// Whether a template may show a secret.
    pub(crate) fn touched(&self, usage: &analysis::Usage) -> bool {
        usage.paths.iter().any(|path| self.is_secret(path))
    }

    /// Whether a variable is or holds a secret.
    pub(crate) fn is_secret(&self, path: &analysis::Path) -> bool {
        match (path.root(), path.part(1)) {
            ("secret" | "secrets", _) => true,
            ("input", Some(field)) => self.0.contains(&field),
            ("input", None) => !self.0.is_empty(),
            _ => false,
        }
    }
}

/// Maps every text inside a value, with its place.
pub(super) fn walk(
    place: &str,
    value: &Value,
    render: &mut impl FnMut(&str, &str) -> Result<Value, RenderError>,
) -> Result<Value, RenderError> {
    Ok(match value {
        Value::String(text) => render(place, text)?,
        Value::Array(items) => {
            let mut rendered = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                rendered.push(walk(&format!("{place}[{index}]"), item, render)?);
            }
            Value::Array(rendered)
        }
        Value::Object(map) => {
            let mut rendered = Map::new();
            for (key, value) in map {
                rendered.insert(key.clone(), walk(&format!("{place}.{key}"), value, render)?);
            }
            Value::Object(rendered)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    })
}
