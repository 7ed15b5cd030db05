//! Filters and tests beside Jinja's own: the spellings that Tera users know.

#![expect(clippy::needless_pass_by_value, reason = "the engine hands arguments over by value")]

use minijinja::{
    Environment, Error, ErrorKind, Value,
    value::{Kwargs, ValueKind},
};

/// Filters that this module adds or replaces.
pub(super) fn add(environment: &mut Environment<'_>) {
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    environment.add_filter("json_encode", json_encode);
    environment.add_filter("tojson", json_encode);
    environment.add_filter("truncate", truncate);
    environment.add_filter("split", split);
    environment.add_filter("replace", replace);
    environment.add_filter("join", join);
    environment.add_filter("get", get);
    environment.add_filter("nth", nth);
    environment.add_filter("slugify", slugify);
    environment.add_filter("trim_start", |text: &str| text.trim_start().to_owned());
    environment.add_filter("trim_end", |text: &str| text.trim_end().to_owned());
    environment.add_filter("concat", concat);
    environment.add_filter("as_str", string);
    environment.add_filter("string", string);
    environment.add_filter("date", date);
    environment.add_filter("vals", vals);
    environment.add_test("containing", containing);
    environment.add_test("starting_with", |text: &str, start: &str| text.starts_with(start));
    environment.add_test("ending_with", |text: &str, end: &str| text.ends_with(end));
    environment.add_test("object", |value: &Value| value.kind() == ValueKind::Map);
    environment.remove_global("debug");
    // It would let a loop nest a value without end, which exhausts the stack when the value is dropped.
    environment.remove_global("namespace");
}

/// How deep maps and lists of a result may be nested; what reads it later has a limit too.
const DEPTH_MAX: usize = 100;

/// Refuses a value that is nested too deep to be written and read as JSON.
pub(super) fn check_depth(value: &Value) -> Result<(), Error> {
    if is_deeper(value, DEPTH_MAX) {
        let message = format!("maps and lists of a result can be nested {DEPTH_MAX} deep at most");
        return Err(Error::new(ErrorKind::BadSerialization, message));
    }
    Ok(())
}

fn is_deeper(value: &Value, depth: usize) -> bool {
    if !matches!(value.kind(), ValueKind::Map | ValueKind::Seq) {
        return false;
    }
    let Ok(mut items) = value.try_iter() else { return false };
    let is_map = value.kind() == ValueKind::Map;
    let deeper = |item: &Value| depth == 0 || is_deeper(item, depth - 1);
    items.any(
        |item| if is_map { value.get_item(&item).is_ok_and(|inner| deeper(&inner)) } else { deeper(&item) },
    )
}

/// The value as JSON text.
pub(super) fn to_json(value: &Value, pretty: bool) -> Result<String, Error> {
    check_depth(value)?;
    let text = if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    text.map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

/// What a value prints: nothing for null, `true` and `false`, JSON for maps and lists.
pub(super) fn to_text(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::None => Ok(String::new()),
        ValueKind::Bool | ValueKind::Map | ValueKind::Seq | ValueKind::Iterable => to_json(value, false),
        _ => Ok(value.to_string()),
    }
}

fn string(value: Value) -> Result<String, Error> {
    to_text(&value)
}

/// An argument given by position or by name.
fn argument(position: Option<Value>, kwargs: &Kwargs, name: &str) -> Result<Option<Value>, Error> {
    match position {
        Some(value) => Ok(Some(value)),
        None => kwargs.get::<Option<Value>>(name),
    }
}

fn text_argument(position: Option<Value>, kwargs: &Kwargs, name: &str) -> Result<Option<String>, Error> {
    let value = argument(position, kwargs, name)?;
    value.map(|value| value.as_str().map(str::to_owned).ok_or_else(|| wrong(name, "a text"))).transpose()
}

fn number_argument(position: Option<Value>, kwargs: &Kwargs, name: &str) -> Result<Option<usize>, Error> {
    let value = argument(position, kwargs, name)?;
    value.map(|value| usize::try_from(value).map_err(|_| wrong(name, "a whole number"))).transpose()
}

fn wrong(name: &str, expected: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("the argument `{name}` must be {expected}"))
}

fn missing(name: &str) -> Error {
    Error::new(ErrorKind::MissingArgument, format!("the argument `{name}` is missing"))
}

/// The other value when this one is undefined or null; with `boolean`, also when it is false or empty.
fn default(value: &Value, other: Option<Value>, lax: Option<bool>, kwargs: Kwargs) -> Result<Value, Error> {
    let other = argument(other, &kwargs, "value")?.unwrap_or_else(|| Value::from(""));
    let lax = lax.unwrap_or(false) || kwargs.get::<Option<bool>>("boolean")?.unwrap_or(false);
    kwargs.assert_all_used()?;
    let absent = value.is_undefined() || value.is_none() || (lax && !value.is_true());
    Ok(if absent { other } else { value.clone() })
}

fn json_encode(value: Value, kwargs: Kwargs) -> Result<String, Error> {
    let pretty = kwargs.get::<Option<bool>>("pretty")?.unwrap_or(false);
    kwargs.assert_all_used()?;
    to_json(&value, pretty)
}

fn truncate(text: &str, length: Option<Value>, kwargs: Kwargs) -> Result<String, Error> {
    let length = number_argument(length, &kwargs, "length")?.unwrap_or(255);
    let end = text_argument(None, &kwargs, "end")?.unwrap_or_else(|| "…".to_owned());
    kwargs.assert_all_used()?;
    match text.char_indices().nth(length) {
        Some((cut, _)) => Ok(format!("{}{end}", &text[..cut])),
        None => Ok(text.to_owned()),
    }
}

fn split(
    text: &str,
    pattern: Option<Value>,
    limit: Option<usize>,
    kwargs: Kwargs,
) -> Result<Vec<String>, Error> {
    let pattern = text_argument(pattern, &kwargs, "pat")?;
    kwargs.assert_all_used()?;
    let own = |part: &str| part.to_owned();
    Ok(match (pattern, limit) {
        (None, None) => text.split_whitespace().map(own).collect(),
        (None, Some(limit)) => text.splitn(limit + 1, char::is_whitespace).map(own).collect(),
        (Some(pattern), None) => text.split(&pattern).map(own).collect(),
        (Some(pattern), Some(limit)) => text.splitn(limit + 1, &pattern).map(own).collect(),
    })
}

fn replace(text: &str, from: Option<Value>, to: Option<Value>, kwargs: Kwargs) -> Result<String, Error> {
    let from = text_argument(from, &kwargs, "from")?.ok_or_else(|| missing("from"))?;
    let to = text_argument(to, &kwargs, "to")?.ok_or_else(|| missing("to"))?;
    kwargs.assert_all_used()?;
    // An empty pattern matches between all characters, so the result is bounded before it is made.
    let matches = text.matches(&from).count();
    if matches.saturating_mul(to.len()) > stroem_core::limits::TEMPLATE_OUTPUT.as_bytes() as usize {
        return Err(Error::from(ErrorKind::OutOfFuel));
    }
    Ok(text.replace(&from, &to))
}

fn join(value: Value, separator: Option<Value>, kwargs: Kwargs) -> Result<String, Error> {
    let separator = text_argument(separator, &kwargs, "sep")?.unwrap_or_default();
    kwargs.assert_all_used()?;
    let mut joined = String::new();
    for (index, item) in value.try_iter()?.enumerate() {
        if index > 0 {
            joined.push_str(&separator);
        }
        joined.push_str(&to_text(&item)?);
        if joined.len() as u64 > stroem_core::limits::TEMPLATE_OUTPUT.as_bytes() {
            return Err(Error::from(ErrorKind::OutOfFuel));
        }
    }
    Ok(joined)
}

fn get(value: Value, key: Option<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let key = argument(key, &kwargs, "key")?.ok_or_else(|| missing("key"))?;
    let other = kwargs.get::<Option<Value>>("default")?;
    kwargs.assert_all_used()?;
    let found = value.get_item(&key)?;
    match other {
        Some(other) if found.is_undefined() => Ok(other),
        _ => Ok(found),
    }
}

fn nth(value: Value, index: Option<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let index = number_argument(index, &kwargs, "n")?.ok_or_else(|| missing("n"))?;
    kwargs.assert_all_used()?;
    value.get_item_by_index(index)
}

fn slugify(text: &str) -> String {
    let mut slug = String::with_capacity(text.len());
    for character in text.chars().flat_map(char::to_lowercase) {
        if character.is_alphanumeric() {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

fn concat(value: Value, with: Option<Value>, kwargs: Kwargs) -> Result<Vec<Value>, Error> {
    let with = argument(with, &kwargs, "with")?.ok_or_else(|| missing("with"))?;
    kwargs.assert_all_used()?;
    let mut items: Vec<Value> = value.try_iter()?.collect();
    if with.kind() == ValueKind::Seq {
        items.extend(with.try_iter()?);
    } else {
        items.push(with);
    }
    Ok(items)
}

/// Formats an RFC 3339 text or a date with the numeric fields of `strftime`.
fn date(text: &str, format: Option<Value>, kwargs: Kwargs) -> Result<String, Error> {
    let format = text_argument(format, &kwargs, "format")?.unwrap_or_else(|| "%Y-%m-%d".to_owned());
    kwargs.assert_all_used()?;
    if !(crate::input::is_date(text) || crate::input::is_datetime(text)) {
        let message = format!("`{text}` is neither a date nor a datetime");
        return Err(Error::new(ErrorKind::InvalidOperation, message));
    }
    let part = |range: std::ops::Range<usize>, empty: &str| text.get(range).unwrap_or(empty).to_owned();
    let mut result = String::new();
    let mut rest = format.chars();
    while let Some(character) = rest.next() {
        if character != '%' {
            result.push(character);
            continue;
        }
        result += &match rest.next() {
            Some('Y') => part(0..4, ""),
            Some('m') => part(5..7, ""),
            Some('d') => part(8..10, ""),
            Some('F') => part(0..10, ""),
            Some('H') => part(11..13, "00"),
            Some('M') => part(14..16, "00"),
            Some('S') => part(17..19, "00"),
            Some('T') => part(11..19, "00:00:00"),
            Some('R') => part(11..16, "00:00"),
            Some('%') => "%".to_owned(),
            other => {
                let message = format!("`%{}` is not a field of a date", other.unwrap_or(' '));
                return Err(Error::new(ErrorKind::InvalidOperation, message));
            }
        };
    }
    Ok(result)
}

/// Known, so that files that use it load; it needs the `vals` program, which this version does not call.
fn vals(_value: Value) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, "the filter `vals` is not available in this version"))
}

/// Tera's `x is containing(y)`.
fn containing(value: &Value, item: &Value) -> Result<bool, Error> {
    match (value.as_str(), item.as_str()) {
        (Some(text), Some(part)) => Ok(text.contains(part)),
        _ if value.kind() == ValueKind::Map => Ok(!value.get_item(item)?.is_undefined()),
        _ => Ok(value.try_iter()?.any(|candidate| candidate == *item)),
    }
}
