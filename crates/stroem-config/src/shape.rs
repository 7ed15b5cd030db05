//! Checks a tree against the table and makes the result of it, defaults filled in.

use std::sync::Arc;

use serde_json::{Map, Value};
use stroem_core::{ByteSize, HumanDuration};

use crate::{
    problem::{Place, Problem},
    schema::{Key, Kind, Schema},
    suggest::nearest,
    tree::{self, Data, Entry, Node},
};

/// The value of a node, or none when it has a problem.
pub(crate) fn value(node: &Node, kind: Kind, path: &str, problems: &mut Vec<Problem>) -> Option<Value> {
    if let Data::Variable(text) = &node.data {
        return variable(text, node, kind, path, problems);
    }
    let wrong = || {
        let message = format!("`{path}` must be {}, not {}", kind.describe(), node.describe());
        Problem::new(node.place.clone(), message)
    };
    match (kind, &node.data) {
        (Kind::Section(schema), _) if node.is_null() => section(&node.place, schema, &[], path, problems),
        (Kind::Section(schema), Data::Map(entries)) => section(&node.place, schema, entries, path, problems),
        (Kind::Named(_), _) if node.is_null() => Some(Value::Object(Map::new())),
        (Kind::Named(inner), Data::Map(entries)) => named(entries, *inner, path, problems),
        (Kind::List(inner), Data::List(items)) => {
            let values: Vec<_> = items
                .iter()
                .enumerate()
                .map(|(index, item)| value(item, *inner, &format!("{path}[{index}]"), problems))
                .collect();
            values.into_iter().collect::<Option<Vec<_>>>().map(Value::Array)
        }
        (Kind::List(_), Data::Scalar { text, .. }) if !node.is_null() => {
            problems.push(wrong().suggest(format!("write `[{text}]`")));
            None
        }
        (Kind::Section(_) | Kind::Named(_) | Kind::List(_), _) | (_, Data::List(_) | Data::Map(_)) => {
            problems.push(wrong());
            None
        }
        (_, Data::Scalar { .. }) if node.is_null() => {
            problems.push(wrong().suggest("give it a value or remove the key"));
            None
        }
        (Kind::Integer { .. } | Kind::Bool, Data::Scalar { text, plain: false }) => {
            problems.push(wrong().suggest(format!("write `{text}` without quotes")));
            None
        }
        (_, Data::Scalar { text, .. }) => or_report(scalar(text, kind), node, path, problems),
        (_, Data::Variable(_)) => None,
    }
}

fn or_report(
    taken: Result<Value, String>,
    node: &Node,
    path: &str,
    problems: &mut Vec<Problem>,
) -> Option<Value> {
    taken
        .map_err(|message| problems.push(Problem::new(node.place.clone(), format!("`{path}`: {message}"))))
        .ok()
}

/// A variable's text: lists as JSON or separated by commas, sections and maps as JSON.
fn variable(text: &str, node: &Node, kind: Kind, path: &str, problems: &mut Vec<Problem>) -> Option<Value> {
    let as_variables =
        |value: &Value| Node { place: node.place.clone(), data: from_json(value, &node.place) };
    match kind {
        Kind::List(_) if !text.trim_start().starts_with('[') => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            let item = |part: &str| Node { place: node.place.clone(), data: Data::Variable(part.to_owned()) };
            let list = Node { place: node.place.clone(), data: Data::List(parts.map(item).collect()) };
            value(&list, kind, path, problems)
        }
        Kind::List(_) | Kind::Section(_) | Kind::Named(_) => match serde_json::from_str::<Value>(text) {
            Ok(json) => value(&as_variables(&json), kind, path, problems),
            Err(error) => {
                let message = format!("`{path}` is {}, and this is not JSON: {error}", kind.describe());
                problems.push(Problem::new(node.place.clone(), message));
                None
            }
        },
        _ => or_report(scalar(text, kind), node, path, problems),
    }
}

fn from_json(json: &Value, place: &Place) -> Data {
    let node = |value: &Value| Node { place: place.clone(), data: from_json(value, place) };
    match json {
        Value::Null => Data::Scalar { text: String::new(), plain: true },
        Value::Bool(value) => Data::Variable(value.to_string()),
        Value::Number(value) => Data::Variable(value.to_string()),
        Value::String(value) => Data::Scalar { text: value.clone(), plain: false },
        Value::Array(items) => Data::List(items.iter().map(node).collect()),
        Value::Object(map) => Data::Map(
            map.iter()
                .map(|(name, value)| Entry { name: name.clone(), place: place.clone(), value: node(value) })
                .collect(),
        ),
    }
}

fn scalar(text: &str, kind: Kind) -> Result<Value, String> {
    let wrong = || format!("`{text}` is not {}", kind.describe());
    match kind {
        Kind::Text | Kind::Secret => Ok(Value::String(text.to_owned())),
        Kind::Checked { rule, .. } => rule(text).map(|()| Value::String(text.to_owned())),
        Kind::Bool => match text {
            "true" | "True" | "TRUE" => Ok(Value::Bool(true)),
            "false" | "False" | "FALSE" => Ok(Value::Bool(false)),
            _ => Err(wrong()),
        },
        Kind::Integer { min, max } => {
            let number: u64 = text.parse().map_err(|_| wrong())?;
            if (min..=max).contains(&number) { Ok(Value::from(number)) } else { Err(wrong()) }
        }
        Kind::Duration => {
            let duration: HumanDuration = text.parse().map_err(|error| format!("{error}"))?;
            Ok(Value::from(duration.as_millis()))
        }
        Kind::Size => {
            let size: ByteSize = text.parse().map_err(|error| format!("{error}"))?;
            Ok(Value::from(size.as_bytes()))
        }
        Kind::Choice(words) if words.contains(&text) => Ok(Value::String(text.to_owned())),
        Kind::Choice(words) => {
            let near = nearest(text, words.iter().copied());
            Err(near.map_or_else(wrong, |near| format!("{}; did you mean `{near}`?", wrong())))
        }
        Kind::List(_) | Kind::Section(_) | Kind::Named(_) => Err(wrong()),
    }
}

fn section(
    place: &Place,
    schema: &Schema,
    entries: &[Entry],
    path: &str,
    problems: &mut Vec<Problem>,
) -> Option<Value> {
    let before = problems.len();
    for entry in entries.iter().filter(|entry| schema.key(&entry.name).is_none()) {
        problems.push(unknown_key(entry, schema, path));
    }
    let mut values = Map::new();
    for key in schema.keys {
        let path = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
        let taken = match entries.iter().find(|entry| entry.name == key.name) {
            Some(entry) => value(&entry.value, key.kind, &path, problems),
            None => absent(place, key, &path, problems),
        };
        if let Some(taken) = taken {
            values.insert(key.name.to_owned(), taken);
        }
    }
    (problems.len() == before).then_some(Value::Object(values))
}

fn absent(place: &Place, key: &Key, path: &str, problems: &mut Vec<Problem>) -> Option<Value> {
    if let Some(default) = key.default {
        let file: Arc<str> = "default".into();
        let node = tree::parse_value(default, &file, problems);
        return value(&node, key.kind, path, problems);
    }
    if key.required {
        let variable = format!("{}{}", crate::PREFIX, path.to_uppercase().replace('.', "__"));
        let problem = Problem::new(place.clone(), format!("`{path}` is missing"));
        problems.push(problem.suggest(format!("write it here, or set {variable}")));
    }
    None
}

fn unknown_key(entry: &Entry, schema: &Schema, path: &str) -> Problem {
    let of = if path.is_empty() { String::new() } else { format!(" in `{path}`") };
    let problem = Problem::new(entry.place.clone(), format!("unknown key `{}`{of}", entry.name));
    let names = || schema.keys.iter().map(|key| key.name);
    match nearest(&entry.name, names()) {
        Some(name) => problem.suggest(format!("did you mean `{name}`?")),
        None => problem.suggest(format!("known are {}", names().collect::<Vec<_>>().join(", "))),
    }
}

fn named(entries: &[Entry], inner: Kind, path: &str, problems: &mut Vec<Problem>) -> Option<Value> {
    let values: Vec<_> = entries
        .iter()
        .map(|entry| {
            let taken = value(&entry.value, inner, &format!("{path}.{}", entry.name), problems)?;
            Some((entry.name.clone(), taken))
        })
        .collect();
    values.into_iter().collect::<Option<Map<_, _>>>().map(Value::Object)
}
