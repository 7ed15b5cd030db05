//! The reference of the language as Markdown.

use stroem_core::{Cause, HumanDuration};

use super::{action_types, takes_action_keys};
use crate::table::{CONSTRUCTS, Construct, Key, Kind};

/// The reference of all constructs, generated from the tables: key, type, default, where valid, meaning.
pub fn reference_markdown() -> String {
    let mut text =
        String::from("# Workflow files\n\nGenerated from the tables of the language; do not edit.\n");
    for (name, construct) in CONSTRUCTS {
        text += &section(name, construct);
    }
    text
}

fn section(name: &str, construct: &Construct) -> String {
    let mut text = format!("\n## {}\n\n{}\n\n", heading(name), construct.doc);
    if takes_action_keys(construct) {
        text += "Without `action` it also takes the keys of an [action](#action), `type` first.\n\n";
    }
    if name == "action" {
        let types = action_types().iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        text += &format!("The types are {types}.\n\n");
    }
    text += "| key | value | default | on | meaning |\n|---|---|---|---|---|\n";
    for key in construct.keys {
        text += &row(key);
    }
    text
}

fn heading(name: &str) -> String {
    let mut characters = name.replace('_', " ").chars().collect::<Vec<_>>();
    if let Some(first) = characters.first_mut() {
        *first = first.to_ascii_uppercase();
    }
    characters.into_iter().collect()
}

fn row(key: &Key) -> String {
    let required = if key.required { " (required)" } else { "" };
    let default = key.default.map(|default| format!("`{default}`")).unwrap_or_default();
    let on = key.on.join(", ");
    format!("| `{}`{required} | {} | {default} | {on} | {} |\n", key.name, describe(&key.kind), key.doc)
}

fn describe(kind: &Kind) -> String {
    let at_most = |max: &HumanDuration| format!("duration, at most {max}");
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Template => "text, templated".to_owned(),
        Kind::Scalar => "text, number or boolean, templated".to_owned(),
        Kind::Boolean => "`true` or `false`".to_owned(),
        Kind::Integer { min, max } if *min == i64::MIN && *max == i64::MAX => "whole number".to_owned(),
        Kind::Integer { min, max } => format!("whole number from {min} to {max}"),
        Kind::Number { min, max } => format!("number from {min} to {max}"),
        Kind::Duration { max } => at_most(max),
        Kind::Choice(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Kind::Cpu => "amount of CPU".to_owned(),
        Kind::Memory => "size".to_owned(),
        Kind::Tags => "list of tags, literal".to_owned(),
        Kind::Texts => "list of texts".to_owned(),
        Kind::Templates => "list of texts, templated".to_owned(),
        Kind::StepNames => "list of step names".to_owned(),
        Kind::Causes => {
            let causes: Vec<String> = Cause::ALL.iter().map(|cause| format!("`{cause}`")).collect();
            format!("list of causes: {}", causes.join(", "))
        }
        Kind::Capabilities => "list of capabilities, literal".to_owned(),
        Kind::Mounts => "list of mounts, literal".to_owned(),
        Kind::ScalarMap => "map of texts, templated".to_owned(),
        Kind::Values => "map of values, templated".to_owned(),
        Kind::Any => "any value".to_owned(),
        Kind::AnyList => "list".to_owned(),
        Kind::AnyMap => "map, templated".to_owned(),
        Kind::InputType => "name of a type".to_owned(),
        Kind::ActionName => "name of an action".to_owned(),
        Kind::TaskName => "name of a task".to_owned(),
        Kind::Flow => "map of names to steps, or list of steps with `name`".to_owned(),
        Kind::Loop => "template or list".to_owned(),
        Kind::Cron => "5 or 6 fields of `cron`".to_owned(),
        Kind::Address => "letters, digits, `-`, `_`, `.`".to_owned(),
        Kind::MapOf(_, construct) | Kind::PropertiesOf(construct) => {
            format!("map of names to {}", noun(construct))
        }
        Kind::One(construct) => noun(construct).to_owned(),
        Kind::ListOf(construct) => format!("{}, or a list of them", construct.title),
        Kind::Secrets => "nested map of texts".to_owned(),
    }
}

/// The title without its article.
fn noun(construct: &Construct) -> &'static str {
    construct.title.split_once(' ').map_or(construct.title, |(_, noun)| noun)
}
