//! The reference of a schema's keys, for the documentation.

use std::fmt::Write as _;

use crate::schema::{Key, Kind, Schema};

/// A Markdown table of all keys with their variables, kinds, defaults and meanings.
pub fn reference(schema: &Schema) -> String {
    let mut text = "| key | kind | default | meaning |\n|---|---|---|---|\n".to_owned();
    rows(schema, "", &mut text);
    text
}

fn rows(schema: &Schema, path: &str, text: &mut String) {
    for key in schema.keys {
        let path = format!("{path}{}", key.name);
        row(key, &path, text);
        inside(&key.kind, &path, text);
    }
}

fn inside(kind: &Kind, path: &str, text: &mut String) {
    match kind {
        Kind::Section(schema) => rows(schema, &format!("{path}."), text),
        Kind::Named(inner) => inside(inner, &format!("{path}.<name>"), text),
        Kind::List(inner) => inside(inner, &format!("{path}[]"), text),
        _ => {}
    }
}

fn row(key: &Key, path: &str, text: &mut String) {
    let default = match (key.default, key.required) {
        (Some(default), _) => format!("`{default}`"),
        (None, true) => "required".to_owned(),
        (None, false) => String::new(),
    };
    let kind = key.kind.describe().replace('|', "\\|");
    writeln!(text, "| `{path}` | {kind} | {default} | {} |", key.doc.replace('|', "\\|"))
        .expect("writing to a text cannot fail");
}
