//! The JSON Schema of workflow files and the reference, from the same tables as lowering.

mod reference;

use serde_json::{Map, Value, json};
use stroem_core::{CAPABILITIES, Cause, limits};

pub use reference::reference_markdown;

use crate::{
    input::InputType,
    table::{ACTION, ACTION_TYPES, CONSTRUCTS, Construct, FILE, Key, Kind, MCP_SERVER, Rest, STEP},
};

/// The schema of one file under `.workflows/`, draft 2020-12.
pub fn workflow_file() -> Value {
    let mut definitions = Map::new();
    for (name, construct) in CONSTRUCTS.iter().skip(1) {
        definitions.insert((*name).to_owned(), object(construct));
    }
    definitions.insert("mcp_server".to_owned(), object(&MCP_SERVER));
    definitions.insert("secrets".to_owned(), secrets());
    let mut root = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Strøm workflow file",
    });
    if let (Value::Object(root), Value::Object(file)) = (&mut root, object(&FILE)) {
        root.extend(file);
        root.insert("$defs".to_owned(), Value::Object(definitions));
    }
    root
}

/// A reference to a construct's definition.
fn definition(construct: &Construct) -> Value {
    let named = CONSTRUCTS.iter().find(|(_, other)| std::ptr::eq(*other, construct));
    json!({ "$ref": format!("#/$defs/{}", named.map_or("mcp_server", |(name, _)| name)) })
}

/// Whether a construct is a step or a hook, which also take the keys of an inline action.
fn takes_action_keys(construct: &Construct) -> bool {
    construct.key("action").is_some()
}

fn object(construct: &Construct) -> Value {
    let mut properties = Map::new();
    let mut own: Vec<&Key> = construct.keys.iter().collect();
    let inline = takes_action_keys(construct);
    if inline {
        own.extend(ACTION.keys.iter().filter(|key| construct.key(key.name).is_none()));
    }
    for key in &own {
        properties.insert(key.name.to_owned(), property(key));
    }
    let mut schema =
        json!({ "type": ["object", "null"], "description": construct.doc, "properties": properties });
    let Value::Object(map) = &mut schema else { return schema };
    let required: Vec<&str> =
        construct.keys.iter().filter(|key| key.required && key.on.is_empty()).map(|key| key.name).collect();
    if !required.is_empty() {
        map.insert("type".to_owned(), "object".into());
        map.insert("required".to_owned(), json!(required));
    }
    match construct.rest {
        Rest::None => map.insert("additionalProperties".to_owned(), Value::Bool(false)),
        Rest::Any => None,
        Rest::Each(inner) => map.insert("additionalProperties".to_owned(), definition(inner)),
    };
    let mut rules = by_type(if inline { &ACTION } else { construct });
    if inline {
        map.insert("type".to_owned(), "object".into());
        map.insert("oneOf".to_owned(), json!([{ "required": ["action"] }, { "required": ["type"] }]));
        let refused: Map<String, Value> = own
            .iter()
            .filter(|key| construct.key(key.name).is_none())
            .map(|key| (key.name.to_owned(), Value::Bool(false)))
            .collect();
        rules.push(json!({ "if": { "required": ["action"] }, "then": { "properties": refused } }));
    }
    if !rules.is_empty() {
        map.insert("allOf".to_owned(), Value::Array(rules));
    }
    schema
}

/// For each value of `type`: the keys that it refuses and those that it needs.
fn by_type(construct: &Construct) -> Vec<Value> {
    let Some(Key { kind: Kind::Choice(types), .. }) = construct.key("type") else { return Vec::new() };
    let rule = |name: &&str| {
        let refused = construct.keys.iter().filter(|key| !key.is_on(Some(name)));
        let refused: Map<String, Value> =
            refused.map(|key| (key.name.to_owned(), Value::Bool(false))).collect();
        let needed =
            construct.keys.iter().filter(|key| key.required && !key.on.is_empty() && key.is_on(Some(name)));
        let needed: Vec<&str> = needed.map(|key| key.name).collect();
        let mut then = json!({ "properties": refused, "required": needed });
        if *name == "script" {
            then["oneOf"] = json!([{ "required": ["script"] }, { "required": ["source"] }]);
        }
        json!({ "if": { "properties": { "type": { "const": name } }, "required": ["type"] }, "then": then })
    };
    types.iter().map(rule).collect()
}

fn property(key: &Key) -> Value {
    let mut schema = kind(&key.kind);
    if let Value::Object(map) = &mut schema {
        map.insert("description".to_owned(), key.doc.into());
        if let Some(default) = key.default {
            let value = serde_json::from_str(default).unwrap_or_else(|_| default.into());
            map.insert("default".to_owned(), value);
        }
    }
    schema
}

fn list(items: &Value) -> Value {
    json!({ "type": ["array", "null"], "items": items })
}

fn map_of(values: &Value) -> Value {
    json!({ "type": ["object", "null"], "additionalProperties": values })
}

fn kind(kind: &Kind) -> Value {
    let scalar = json!({ "type": ["string", "number", "boolean"] });
    match kind {
        Kind::Text | Kind::Template | Kind::ActionName | Kind::TaskName => json!({ "type": "string" }),
        Kind::Scalar => scalar,
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Integer { min, max } if *min == i64::MIN && *max == i64::MAX => json!({ "type": "integer" }),
        Kind::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Number { min, max } => json!({ "type": "number", "minimum": min, "maximum": max }),
        Kind::Duration { max } => json!({
            "anyOf": [
                { "type": "string", "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$|^[0-9]+$", "minLength": 1 },
                { "type": "integer", "minimum": 1, "maximum": max.as_millis() / 1_000 },
            ],
        }),
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Cpu | Kind::Memory => json!({ "type": ["string", "number"] }),
        Kind::Tags => {
            list(&json!({ "type": ["string", "number", "boolean"], "maxLength": limits::TAG_LENGTH }))
        }
        Kind::Texts | Kind::StepNames | Kind::Templates => list(&scalar),
        Kind::Causes => {
            list(&json!({ "enum": Cause::ALL.iter().map(|cause| cause.as_str()).collect::<Vec<_>>() }))
        }
        Kind::Capabilities => list(&json!({ "enum": CAPABILITIES })),
        Kind::Mounts => list(&json!({ "type": "string", "pattern": "^(/[^/:]+)+:(/[^/:]+)+(:r[ow])?$" })),
        Kind::ScalarMap => map_of(&scalar),
        Kind::Values | Kind::AnyMap => json!({ "type": ["object", "null"] }),
        Kind::Any => json!({}),
        Kind::AnyList => json!({ "type": ["array", "null"] }),
        Kind::InputType => {
            let known: Vec<&str> = InputType::SPELLINGS.iter().map(|(spelling, _)| *spelling).collect();
            json!({ "anyOf": [{ "enum": known }, { "type": "string" }] })
        }
        Kind::Flow => {
            let step = definition(&STEP);
            let named = json!({ "allOf": [step, { "required": ["name"] }] });
            json!({ "anyOf": [
                { "type": "object", "additionalProperties": step, "minProperties": 1, "maxProperties": limits::STEPS_PER_TASK },
                { "type": "array", "items": named, "minItems": 1, "maxItems": limits::STEPS_PER_TASK },
            ] })
        }
        Kind::Loop => json!({ "type": ["string", "array"], "maxItems": limits::LOOP_ITEMS }),
        Kind::Cron => json!({ "type": "string", "pattern": "^ *[^ ]+( +[^ ]+){4,5} *$" }),
        Kind::Address => {
            json!({ "type": "string", "pattern": "^[A-Za-z0-9_.-]+$", "maxLength": limits::NAME_LENGTH })
        }
        Kind::MapOf(_, construct) => map_of(&definition(construct)),
        Kind::PropertiesOf(construct) => json!({ "anyOf": [
            map_of(&definition(construct)),
            { "type": "object", "properties": { "properties": map_of(&definition(construct)) }, "additionalProperties": false },
        ] }),
        Kind::One(construct) => definition(construct),
        Kind::ListOf(construct) => json!({ "anyOf": [list(&definition(construct)), definition(construct)] }),
        Kind::Secrets => json!({ "$ref": "#/$defs/secrets" }),
    }
}

fn secrets() -> Value {
    json!({
        "type": ["object", "null"],
        "additionalProperties": { "anyOf": [
            { "type": "string", "minLength": limits::SECRET_LENGTH_MIN },
            { "$ref": "#/$defs/secrets" },
        ] },
    })
}

/// The values of `type` that an action may have, for the reference.
fn action_types() -> &'static [&'static str] {
    ACTION_TYPES
}

#[cfg(test)]
mod tests;
