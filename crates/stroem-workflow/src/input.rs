//! Input schemas of tasks and actions, and the check of values against them.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The type of an input field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the YAML spelling")]
pub enum InputType {
    String,
    Text,
    Integer,
    Number,
    Boolean,
    Date,
    Datetime,
    /// The name of a connection type; the value is a connection's name and becomes the object.
    Connection(String),
}

/// One field of an input schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputField {
    /// The type; `string` when not written.
    #[serde(rename = "type")]
    pub input_type: InputType,
    /// A label for people.
    pub name: Option<String>,
    /// A text for people.
    pub description: Option<String>,
    /// Whether a value must be given.
    pub required: bool,
    /// Whether the value is encrypted at rest and masked on every way out.
    pub secret: bool,
    /// The value when none is given; strings are templates in an action's schema.
    pub default: Option<Value>,
    /// The allowed values.
    pub options: Option<Vec<Value>>,
    /// Whether values outside `options` are allowed.
    pub allow_custom: bool,
    /// Whether the value is a list of the type.
    pub multiple: bool,
    /// The place in a form.
    pub order: Option<i64>,
}

/// One problem of a job's input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{field}: {message}")]
pub struct InputProblem {
    /// The field.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}
