//! Checks one value against its kind in the tables.

use std::fmt::Display;

use stroem_core::{ByteSize, CAPABILITIES, Cause, CpuQuantity, HumanDuration, Mount, Tag, limits};

use super::shape::{check, either, name};
use crate::{
    report::{Report, did_you_mean, nearest},
    table::{Construct, Kind, Named},
    yaml::{Data, Entry, Node},
};

/// Checks the value of one entry.
pub(super) fn check_value(report: &mut Report<'_>, kind: &Kind, entry: &Entry) {
    let node = &entry.value;
    if node.is_null() {
        if !may_be_empty(kind) {
            let help = format!("write a value or remove `{}`", entry.key);
            report.error_with(entry.span, "no_value", format!("`{}` has no value", entry.key), Some(help));
        }
        return;
    }
    match kind {
        Kind::Text | Kind::Template | Kind::InputType | Kind::ActionName | Kind::TaskName => {
            text(report, entry);
        }
        Kind::Scalar => scalar(report, &entry.key, node),
        Kind::Boolean => boolean(report, entry),
        Kind::Integer { min, max } => integer(report, entry, *min, *max),
        Kind::Number { min, max } => number(report, entry, *min, *max),
        Kind::Duration { max } => duration(report, entry, *max),
        Kind::Choice(words) => choice(report, entry, words),
        Kind::Cpu => parsed(report, entry, "bad_quantity", str::parse::<CpuQuantity>),
        Kind::Memory => parsed(report, entry, "bad_quantity", str::parse::<ByteSize>),
        Kind::Tags => texts(report, entry, tag),
        Kind::Causes => texts(report, entry, cause),
        Kind::Capabilities => texts(report, entry, capability),
        Kind::Mounts => texts(report, entry, mount),
        Kind::Texts | Kind::StepNames => texts(report, entry, |_, _, _| {}),
        Kind::Templates => list(report, entry, |report, item| scalar(report, "an item", item)),
        Kind::ScalarMap => map(report, entry, scalar_entry),
        Kind::Values | Kind::AnyMap => map(report, entry, |_, _| {}),
        Kind::Any => {}
        Kind::AnyList => list(report, entry, |_, _| {}),
        Kind::Flow => super::step::check_flow(report, entry),
        Kind::Loop => items(report, entry),
        Kind::Cron => {
            if let Some(Err(message)) = text(report, entry).map(super::cron::check) {
                report.error(node.span, "bad_cron", message);
            }
        }
        Kind::Address => {
            if let Some(name) = text(report, entry).filter(|name| !is_address(name)) {
                let message = format!("`{name}` cannot be a part of an address");
                let help = "write letters, digits, `-`, `_` and `.` only".to_owned();
                report.error_with(node.span, "bad_name", message, Some(help));
            }
        }
        Kind::MapOf(named, construct) => map(report, entry, |report, inner| {
            name(report, *named, inner);
            check(report, construct, &inner.value, inner.span);
        }),
        Kind::PropertiesOf(construct) => properties(report, entry, construct),
        Kind::One(construct) => check(report, construct, node, entry.span),
        Kind::ListOf(construct) => match node.as_list() {
            Some(items) => items.iter().for_each(|item| check(report, construct, item, item.span)),
            None => check(report, construct, node, entry.span),
        },
        Kind::Secrets => secrets(report, entry),
    }
}

/// Whether nothing is a value: an empty list or map, or any value.
fn may_be_empty(kind: &Kind) -> bool {
    match kind {
        Kind::Any
        | Kind::AnyMap
        | Kind::AnyList
        | Kind::Values
        | Kind::ScalarMap
        | Kind::MapOf(..)
        | Kind::PropertiesOf(_)
        | Kind::Secrets
        | Kind::StepNames
        | Kind::Tags
        | Kind::Capabilities
        | Kind::Mounts
        | Kind::Texts
        | Kind::Templates
        | Kind::One(_)
        | Kind::ListOf(_) => true,
        Kind::Text
        | Kind::Template
        | Kind::Scalar
        | Kind::Boolean
        | Kind::Integer { .. }
        | Kind::Number { .. }
        | Kind::Duration { .. }
        | Kind::Choice(_)
        | Kind::Cpu
        | Kind::Memory
        | Kind::Causes
        | Kind::InputType
        | Kind::ActionName
        | Kind::TaskName
        | Kind::Flow
        | Kind::Cron
        | Kind::Address
        | Kind::Loop => false,
    }
}

fn tag(report: &mut Report<'_>, item: &Node, text: &str) {
    if let Err(error) = Tag::new(text) {
        report.error(item.span, "bad_tag", error.to_string());
    }
}

fn capability(report: &mut Report<'_>, item: &Node, text: &str) {
    if !CAPABILITIES.contains(&text) {
        let bare = text.trim_start_matches("CAP_").to_ascii_uppercase();
        let help = if CAPABILITIES.contains(&bare.as_str()) {
            format!("write `{bare}`")
        } else {
            did_you_mean(&bare, CAPABILITIES.iter().copied()).unwrap_or_else(|| {
                "write the name of a capability of Linux, such as `NET_RAW`, or `ALL`".to_owned()
            })
        };
        report.error_with(item.span, "unknown_value", format!("`{text}` is not a capability"), Some(help));
    }
}

fn mount(report: &mut Report<'_>, item: &Node, text: &str) {
    if let Err(error) = text.parse::<Mount>() {
        report.error(item.span, "bad_mount", error.to_string());
    }
}

fn cause(report: &mut Report<'_>, item: &Node, text: &str) {
    let names = Cause::ALL.iter().map(|cause| cause.as_str());
    if !names.clone().any(|name| name == text) {
        let message = format!("`{text}` is not a cause");
        let list = || format!("the causes are {}", names.clone().collect::<Vec<_>>().join(", "));
        let help = did_you_mean(text, names.clone()).unwrap_or_else(list);
        report.error_with(item.span, "unknown_cause", message, Some(help));
    }
}

fn items(report: &mut Report<'_>, entry: &Entry) {
    match &entry.value.data {
        Data::Text(..) => {}
        Data::List(items) if items.len() <= limits::LOOP_ITEMS => {}
        Data::List(items) => {
            let message =
                format!("a loop can have {} items at most, this one has {}", limits::LOOP_ITEMS, items.len());
            report.error(entry.span, "too_many_items", message);
        }
        _ => wrong_type(report, entry, "a template or a list"),
    }
}

/// Whether a text can be the last part of an address as it stands.
fn is_address(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !text.is_empty()
        && text.len() <= limits::NAME_LENGTH
        && text.chars().all(plain)
        && !text.trim_matches('.').is_empty()
}

fn scalar_entry(report: &mut Report<'_>, entry: &Entry) {
    if entry.value.is_null() {
        let help = "write `\"\"` for an empty text".to_owned();
        report.error_with(entry.span, "no_value", format!("`{}` has no value", entry.key), Some(help));
    } else {
        scalar(report, &entry.key, &entry.value);
    }
}

fn properties(report: &mut Report<'_>, entry: &Entry, construct: &Construct) {
    let wrapped = entry.value.entries();
    let entry = match wrapped {
        [only] if only.key == "properties" && matches!(only.value.data, Data::Map(_)) => only,
        _ => entry,
    };
    map(report, entry, |report, inner| {
        name(report, Named::Field, inner);
        check(report, construct, &inner.value, inner.span);
    });
}

fn wrong_type(report: &mut Report<'_>, entry: &Entry, expected: &str) {
    let found = match &entry.value.data {
        Data::Number(number, _) if expected == "a whole number" && number.is_f64() => "a fraction",
        _ => entry.value.describe(),
    };
    let message = format!("`{}` takes {expected}, not {found}", entry.key);
    report.error_with(entry.value.span, "wrong_type", message, Some(instead(entry, expected)));
}

/// What to write instead of a value of the wrong type. What may be a secret is not repeated.
fn instead(entry: &Entry, expected: &str) -> String {
    let key = &entry.key;
    let shown = (key != "secret").then_some(&entry.value.data);
    match (shown, expected) {
        (Some(Data::Text(text, _)), "a list") if !text.contains('\n') => format!("write `{key}: [{text}]`"),
        (_, "a list") => format!("write `{key}: [a, b]`, or below it lines that begin with `- `"),
        (Some(Data::Number(_, written) | Data::Bool(_, written)), "a text") => {
            format!("put it in quotes: `{key}: \"{written}\"`")
        }
        (_, "a text") => format!("write one text: `{key}: ...`, or `{key}: |` and lines below it"),
        (Some(Data::Text(text, _)), "true or false") => match text.to_lowercase().as_str() {
            "yes" | "on" | "y" | "true" => format!("write `{key}: true`"),
            "no" | "off" | "n" | "false" => format!("write `{key}: false`"),
            _ => format!("write `{key}: true` or `{key}: false`"),
        },
        (_, "true or false") => format!("write `{key}: true` or `{key}: false`"),
        (Some(Data::Text(text, _)), "a number" | "a whole number") if text.parse::<f64>().is_ok() => {
            format!("write `{key}: {text}`, without quotes")
        }
        (_, "a number") => format!("write for example `{key}: 0.5`"),
        (_, "a whole number") => format!("write for example `{key}: 3`"),
        (_, "a duration") => format!("write for example `{key}: 30s`, `5m` or `1h30m`"),
        (_, "an amount") => {
            format!("write for example `{key}: {}`", if key == "cpu" { "500m" } else { "512Mi" })
        }
        (_, "a template or a list") => {
            format!("write `{key}: [a, b]`, or a template such as `{key}: \"{{{{ input.items }}}}\"`")
        }
        (_, "a text or a map") => format!("write a text in quotes below `{key}`, or a map of texts"),
        _ => format!("write `{key}: {{ name: value }}`, or below it lines such as `name: value`"),
    }
}

fn text<'n>(report: &mut Report<'_>, entry: &'n Entry) -> Option<&'n str> {
    let text = entry.value.as_text();
    if text.is_none() {
        wrong_type(report, entry, "a text");
    }
    text
}

fn scalar(report: &mut Report<'_>, key: &str, node: &Node) {
    if node.as_scalar().is_none() {
        let message = format!("`{key}` takes a text, not {}", node.describe());
        let help = "write one text, or a number, or true or false".to_owned();
        report.error_with(node.span, "wrong_type", message, Some(help));
    }
}

fn boolean(report: &mut Report<'_>, entry: &Entry) {
    if entry.value.as_bool().is_none() {
        wrong_type(report, entry, "true or false");
    }
}

fn integer(report: &mut Report<'_>, entry: &Entry, min: i64, max: i64) {
    match &entry.value.data {
        Data::Number(number, _) if number.as_i64().is_some() => {
            if !number.as_i64().is_some_and(|n| (min..=max).contains(&n)) {
                out_of_range(report, entry, min, max);
            }
        }
        _ => wrong_type(report, entry, "a whole number"),
    }
}

fn number(report: &mut Report<'_>, entry: &Entry, min: f64, max: f64) {
    match &entry.value.data {
        Data::Number(number, _) => {
            if !number.as_f64().is_some_and(|n| (min..=max).contains(&n)) {
                out_of_range(report, entry, min, max);
            }
        }
        _ => wrong_type(report, entry, "a number"),
    }
}

fn out_of_range(report: &mut Report<'_>, entry: &Entry, min: impl Display, max: impl Display) {
    let given = entry.value.as_scalar().unwrap_or_default();
    let message = format!("`{}` cannot be {given}", entry.key);
    report.error_with(
        entry.value.span,
        "out_of_range",
        message,
        Some(format!("write a number from {min} to {max}")),
    );
}

fn duration(report: &mut Report<'_>, entry: &Entry, max: HumanDuration) {
    match entry.value.as_scalar() {
        None => wrong_type(report, entry, "a duration"),
        Some(text) => {
            if let Err(error) = text.parse::<HumanDuration>().and_then(|duration| duration.at_most(max)) {
                report.error(entry.value.span, "bad_duration", error.to_string());
            }
        }
    }
}

fn choice(report: &mut Report<'_>, entry: &Entry, words: &[&str]) {
    let Some(text) = text(report, entry) else { return };
    if words.contains(&text) {
        return;
    }
    let help = match nearest(text, words.iter().copied()) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("write {}", either(words)),
    };
    let message = format!("`{text}` is not a value of `{}`", entry.key);
    report.error_with(entry.value.span, "unknown_value", message, Some(help));
}

fn parsed<T, E: Display>(
    report: &mut Report<'_>,
    entry: &Entry,
    code: &'static str,
    parse: impl Fn(&str) -> Result<T, E>,
) {
    match entry.value.as_scalar() {
        None => wrong_type(report, entry, "an amount"),
        Some(text) => {
            if let Err(error) = parse(text) {
                report.error(entry.value.span, code, error.to_string());
            }
        }
    }
}

fn list(report: &mut Report<'_>, entry: &Entry, mut each: impl FnMut(&mut Report<'_>, &Node)) {
    match entry.value.as_list() {
        Some(items) => items.iter().for_each(|item| each(report, item)),
        None => wrong_type(report, entry, "a list"),
    }
}

fn texts(report: &mut Report<'_>, entry: &Entry, mut each: impl FnMut(&mut Report<'_>, &Node, &str)) {
    list(report, entry, |report, item| match item.as_scalar() {
        Some(text) => each(report, item, text),
        None => {
            let message = format!("`{}` takes a list of texts; this item is {}", entry.key, item.describe());
            let help = "write one text for each item, in quotes if it has signs of YAML".to_owned();
            report.error_with(item.span, "wrong_type", message, Some(help));
        }
    });
}

fn map(report: &mut Report<'_>, entry: &Entry, mut each: impl FnMut(&mut Report<'_>, &Entry)) {
    match &entry.value.data {
        Data::Map(entries) => entries.iter().for_each(|inner| each(report, inner)),
        _ => wrong_type(report, entry, "a map"),
    }
}

fn secrets(report: &mut Report<'_>, entry: &Entry) {
    map(report, entry, |report, inner| match &inner.value.data {
        Data::Map(_) => secrets(report, inner),
        Data::Text(..) => {}
        Data::Null | Data::List(_) => wrong_type(report, inner, "a text or a map"),
        Data::Bool(..) | Data::Number(..) => {
            let message = format!("`{}` takes a text, not {}", inner.key, inner.value.describe());
            let help = "put the value in quotes".to_owned();
            report.error_with(inner.value.span, "wrong_type", message, Some(help));
        }
    });
}
