//! Checks one value against its kind in the tables.

use stroem_core::{ByteSize, Cause, CpuQuantity, HumanDuration, Tag};

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
        Kind::Texts | Kind::StepNames => texts(report, entry, |_, _, _| {}),
        Kind::Templates => list(report, entry, |report, item| scalar(report, "an item", item)),
        Kind::ScalarMap => map(report, entry, scalar_entry),
        Kind::Values | Kind::AnyMap => map(report, entry, |_, _| {}),
        Kind::Any => {}
        Kind::AnyList => list(report, entry, |_, _| {}),
        Kind::Flow => super::step::check_flow(report, entry),
        Kind::Loop => match &node.data {
            Data::Text(..) | Data::List(_) => {}
            _ => wrong_type(report, entry, "a template or a list"),
        },
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
        | Kind::Loop => false,
    }
}

fn tag(report: &mut Report<'_>, item: &Node, text: &str) {
    if let Err(error) = Tag::new(text) {
        report.error(item.span, "bad_tag", error.to_string());
    }
}

fn cause(report: &mut Report<'_>, item: &Node, text: &str) {
    let names = Cause::ALL.iter().map(|cause| cause.as_str());
    if !names.clone().any(|name| name == text) {
        let message = format!("`{text}` is not a cause");
        report.error_with(item.span, "unknown_cause", message, did_you_mean(text, names));
    }
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
    let message = format!("`{}` takes {expected}, not {}", entry.key, entry.value.describe());
    let help = match (&entry.value.data, expected) {
        _ if entry.key == "secret" => None,
        (Data::Text(text, _), "a list") => Some(format!("write `{}: [{text}]`", entry.key)),
        (Data::Number(_, written) | Data::Bool(_, written), "a text") => {
            Some(format!("put it in quotes: `{}: \"{written}\"`", entry.key))
        }
        (Data::Text(text, _), "true or false") => match text.to_lowercase().as_str() {
            "yes" | "on" | "y" => Some(format!("write `{}: true`", entry.key)),
            "no" | "off" | "n" => Some(format!("write `{}: false`", entry.key)),
            _ => None,
        },
        _ => None,
    };
    report.error_with(entry.value.span, "wrong_type", message, help);
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
        report.error(node.span, "wrong_type", message);
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
                let message = format!("`{}` is between {min} and {max}", entry.key);
                report.error(entry.value.span, "out_of_range", message);
            }
        }
        _ => wrong_type(report, entry, "a whole number"),
    }
}

fn number(report: &mut Report<'_>, entry: &Entry, min: f64, max: f64) {
    match &entry.value.data {
        Data::Number(number, _) => {
            if !number.as_f64().is_some_and(|n| (min..=max).contains(&n)) {
                let message = format!("`{}` is between {min} and {max}", entry.key);
                report.error(entry.value.span, "out_of_range", message);
            }
        }
        _ => wrong_type(report, entry, "a number"),
    }
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

fn parsed<T, E: std::fmt::Display>(
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
            report.error(item.span, "wrong_type", message);
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
