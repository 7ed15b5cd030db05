//! The template engine: one environment for the whole program, with fuel, strict undefined values, no IO and no clock.
//! Knows nothing of plans; the context arrives as a value.

pub(crate) mod analysis;
mod filters;
mod limit;
mod names;

use std::sync::OnceLock;

use minijinja::{
    Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value, syntax::SyntaxConfig,
};
use serde_json::Value as Json;
use stroem_core::limits;

/// How deep macros may call each other.
const RECURSION_MAX: usize = 16;

/// Why a template failed, with the line inside the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateError {
    pub(crate) message: String,
    pub(crate) line: Option<usize>,
    /// Bytes from the start of the template, where known.
    pub(crate) offset: Option<usize>,
}

impl std::fmt::Display for TemplateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line.filter(|line| *line > 1) {
            Some(line) => write!(f, "{} (line {line} of the template)", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl From<&Error> for TemplateError {
    fn from(error: &Error) -> Self {
        let message = match (error.kind(), error.detail()) {
            (ErrorKind::OutOfFuel, _) => "the template does more work than is allowed".to_owned(),
            (ErrorKind::UndefinedError, None) => "a value is not defined".to_owned(),
            (_, Some(detail)) => detail.to_owned(),
            (kind, None) => kind.to_string(),
        };
        Self { message, line: error.line(), offset: error.range().map(|range| range.start) }
    }
}

/// Whether a text has anything to render.
pub(crate) fn is_template(text: &str) -> bool {
    text.as_bytes().windows(2).any(|pair| matches!(pair, b"{{" | b"{%" | b"{#"))
}

/// The expression of a template that is exactly one.
pub(crate) fn single_expression(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.strip_prefix(['-', '+']).unwrap_or(inner);
    let inner = inner.strip_suffix(['-', '+']).unwrap_or(inner);
    limit::check(text).ok()?;
    minijinja::machinery::parse_expr(inner).is_ok().then_some(inner)
}

/// Renders to text.
pub(crate) fn render_text(text: &str, context: &Value) -> Result<String, TemplateError> {
    if !is_template(text) {
        return Ok(text.to_owned());
    }
    limit::check(text)?;
    let rendered =
        environment().render_str(text, context.clone()).map_err(|error| TemplateError::from(&error))?;
    check_size(rendered.len())?;
    Ok(rendered)
}

/// Renders to a value: a template that is one expression keeps its type.
pub(crate) fn render_value(text: &str, context: &Value) -> Result<Json, TemplateError> {
    match single_expression(text) {
        Some(expression) => evaluate(expression, context),
        None => render_text(text, context).map(Json::String),
    }
}

fn evaluate(expression: &str, context: &Value) -> Result<Json, TemplateError> {
    let of_error = |error: Error| TemplateError::from(&error);
    let compiled = environment().compile_expression_owned(expression.to_owned()).map_err(of_error)?;
    let value = compiled.eval(context.clone()).map_err(of_error)?;
    if value.is_undefined() {
        let message = format!("`{}` is not defined", expression.trim());
        return Err(TemplateError { message, line: Some(1), offset: None });
    }
    filters::check_depth(&value).map_err(of_error)?;
    let json = serde_json::to_value(&value).map_err(|error| TemplateError {
        message: format!("the result is not a value that JSON can hold: {error}"),
        line: Some(1),
        offset: None,
    })?;
    check_size(size(&json))?;
    Ok(json)
}

fn check_size(size_bytes: usize) -> Result<(), TemplateError> {
    if size_bytes as u64 <= limits::TEMPLATE_OUTPUT.as_bytes() {
        return Ok(());
    }
    let message =
        format!("the template renders to more than the {} that are allowed", limits::TEMPLATE_OUTPUT);
    Err(TemplateError { message, line: None, offset: None })
}

/// About as many bytes as the value's JSON.
fn size(value: &Json) -> usize {
    match value {
        Json::Null | Json::Bool(_) | Json::Number(_) => 4,
        Json::String(text) => text.len() + 2,
        Json::Array(items) => 2 + items.iter().map(|item| size(item) + 1).sum::<usize>(),
        Json::Object(map) => 2 + map.iter().map(|(key, value)| key.len() + 4 + size(value)).sum::<usize>(),
    }
}

/// A value as the text that a template prints: nothing for null, JSON for maps and lists.
pub(crate) fn to_text(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => value.to_string(),
    }
}

/// The one environment.
pub(crate) fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_fuel(Some(limits::TEMPLATE_FUEL));
        environment.set_recursion_limit(RECURSION_MAX);
        // Errors then name the value that is undefined.
        environment.set_debug(true);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_syntax(syntax());
        environment.set_formatter(format_value);
        filters::add(&mut environment);
        environment
    })
}

/// Jinja's syntax; the last newline of a script stays.
pub(crate) fn syntax() -> SyntaxConfig {
    SyntaxConfig::builder().keep_trailing_newline(true).build().unwrap_or_default()
}

/// An undefined value is an error; the rest prints as [`filters::to_text`] says.
fn format_value(output: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.is_undefined() {
        // The engine's own formatter makes the error that names the variable.
        return minijinja::escape_formatter(output, state, value);
    }
    let text = filters::to_text(value)?;
    output.write_str(&text).map_err(|_| Error::from(ErrorKind::WriteFailure))
}
