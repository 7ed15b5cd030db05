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

impl InputType {
    /// The built-in types by their spelling.
    pub const SPELLINGS: &'static [(&'static str, Self)] = &[
        ("string", Self::String),
        ("text", Self::Text),
        ("integer", Self::Integer),
        ("number", Self::Number),
        ("boolean", Self::Boolean),
        ("bool", Self::Boolean),
        ("date", Self::Date),
        ("datetime", Self::Datetime),
    ];

    /// The spelling in YAML.
    pub fn as_str(&self) -> &str {
        match self {
            Self::String => "string",
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Datetime => "datetime",
            Self::Connection(name) => name,
        }
    }

    /// Why a value is not of this type.
    pub(crate) fn refuse(&self, value: &Value) -> Option<String> {
        let fits = match self {
            Self::String | Self::Text | Self::Connection(_) => value.is_string(),
            Self::Integer => {
                value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|f| f.fract() == 0.0)
            }
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Date => value.as_str().is_some_and(is_date),
            Self::Datetime => value.as_str().is_some_and(is_datetime),
        };
        let expected = match self {
            _ if fits => return None,
            Self::String | Self::Text => "a text",
            Self::Connection(_) => "the name of a connection",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::Date => "a date such as 2026-01-31",
            Self::Datetime => "a time with its zone such as 2026-01-31T12:00:00Z",
        };
        // A text that is no date is of the right kind but for its content.
        match (self, value) {
            (Self::Date | Self::Datetime, Value::String(_)) => Some(format!("must be {expected}")),
            _ => Some(format!("must be {expected}, not {}", describe(value))),
        }
    }
}

impl InputField {
    /// Why a value does not fit this field; secret values are not repeated.
    pub(crate) fn refuse(&self, value: &Value) -> Option<String> {
        if !self.multiple {
            return self.refuse_one(value);
        }
        let Some(items) = value.as_array() else {
            return Some(format!("must be a list, not {}", describe(value)));
        };
        let refused =
            items.iter().enumerate().find_map(|(index, item)| Some((index, self.refuse_one(item)?)));
        refused.map(|(index, message)| format!("item {}: {message}", index + 1))
    }

    fn refuse_one(&self, value: &Value) -> Option<String> {
        if let Some(message) = self.input_type.refuse(value) {
            return Some(message);
        }
        let options = self.options.as_deref().filter(|_| !self.allow_custom)?;
        if options.iter().any(|option| equal(option, value)) {
            return None;
        }
        let list = options.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
        let shown = if self.secret { "the value".to_owned() } else { value.to_string() };
        Some(format!("{shown} is not one of {list}"))
    }
}

/// Checks values against a schema and fills in defaults. All problems come at once.
pub(crate) fn check(
    schema: &IndexMap<String, InputField>,
    values: &Map<String, Value>,
) -> Result<Map<String, Value>, Vec<InputProblem>> {
    if schema.is_empty() {
        return Ok(values.clone());
    }
    let mut problems = Vec::new();
    let mut problem =
        |field: &str, message: String| problems.push(InputProblem { field: field.to_owned(), message });
    let mut checked = Map::new();
    for (name, field) in schema {
        let given = values.get(name).filter(|value| !value.is_null());
        match given.or(field.default.as_ref()) {
            None if field.required => problem(name, "is required".to_owned()),
            None => {
                if values.contains_key(name) {
                    checked.insert(name.clone(), Value::Null);
                }
            }
            Some(value) => {
                if let Some(message) = field.refuse(value) {
                    problem(name, message);
                } else if field.secret && value.as_str().is_some_and(crate::secrets::is_too_short) {
                    let least = stroem_core::limits::SECRET_LENGTH_MIN;
                    problem(
                        name,
                        format!("a secret needs at least {least} characters, or it cannot be masked"),
                    );
                }
                checked.insert(name.clone(), value.clone());
            }
        }
    }
    for name in values.keys().filter(|name| !schema.contains_key(*name)) {
        let near = crate::report::did_you_mean(name, schema.keys().map(String::as_str));
        let help = near.map(|near| format!("; {near}")).unwrap_or_default();
        problem(name, format!("is not an input of this task{help}"));
    }
    if problems.is_empty() { Ok(checked) } else { Err(problems) }
}

/// Numbers are equal by value, whatever their spelling.
fn equal(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

pub(crate) fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

/// `YYYY-MM-DD` with a day that exists.
pub(crate) fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return false;
    }
    let (Some(year), Some(month), Some(day)) =
        (digits(&bytes[..4]), digits(&bytes[5..7]), digits(&bytes[8..]))
    else {
        return false;
    };
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// RFC 3339: date, `T`, time, optional fraction, `Z` or an offset.
pub(crate) fn is_datetime(text: &str) -> bool {
    let Some((date, rest)) = text.split_at_checked(10) else { return false };
    let bytes = rest.as_bytes();
    if !is_date(date)
        || bytes.len() < 10
        || !matches!(bytes[0], b'T' | b't' | b' ')
        || bytes[3] != b':'
        || bytes[6] != b':'
    {
        return false;
    }
    let in_range =
        |range: std::ops::Range<usize>, max| digits(&bytes[range]).is_some_and(|number| number <= max);
    if !(in_range(1..3, 23) && in_range(4..6, 59) && in_range(7..9, 60)) {
        return false;
    }
    let mut zone = &bytes[9..];
    if let Some(fraction) = zone.strip_prefix(b".") {
        let length = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if length == 0 {
            return false;
        }
        zone = &fraction[length..];
    }
    match zone {
        b"Z" | b"z" => true,
        [b'+' | b'-', hours @ .., b':', _, _] if hours.len() == 2 => {
            digits(hours).is_some_and(|h| h <= 23) && digits(&zone[4..]).is_some_and(|m| m <= 59)
        }
        _ => false,
    }
}

fn digits(bytes: &[u8]) -> Option<u32> {
    bytes
        .iter()
        .try_fold(0, |number: u32, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_must_exist() {
        for good in ["2026-01-31", "2024-02-29"] {
            assert!(is_date(good), "{good}");
        }
        for bad in ["2026-02-29", "2026-13-01", "2026-1-1", "20260101", "2026-01-00", "2026-01-01 "] {
            assert!(!is_date(bad), "{bad}");
        }
        for good in ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.123+01:00"] {
            assert!(is_datetime(good), "{good}");
        }
        for bad in [
            "2026-01-31",
            "2026-01-31T12:00Z",
            "2026-01-31T25:00:00Z",
            "2026-01-31T12:00:00",
            "é026-01-31T12:00:00Z",
        ] {
            assert!(!is_datetime(bad), "{bad}");
        }
    }
}
