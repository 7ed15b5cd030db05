//! The secrets of all files, rendered. Values never reach a message.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{
    SecretTree,
    lower::{FileModel, not_yet_supported, sites::Site},
    report::{Report, Span},
    secrets::is_too_short,
    template::{self, analysis},
    yaml::{Data, Node},
};

pub(super) fn check(report: &mut Report<'_>, files: &[FileModel]) -> SecretTree {
    let mut tree = SecretTree::default();
    let mut places = Places::new();
    for node in files.iter().filter_map(|file| file.secrets.as_ref()) {
        merge(report, &mut places, node, tree.as_map_mut(), "");
    }
    tree
}

/// Where each path was first defined.
type Places = BTreeMap<String, Span>;

fn merge(
    report: &mut Report<'_>,
    places: &mut Places,
    node: &Node,
    into: &mut Map<String, Value>,
    prefix: &str,
) {
    for entry in node.entries() {
        let path = if prefix.is_empty() { entry.key.clone() } else { format!("{prefix}.{}", entry.key) };
        let first = *places.entry(path.clone()).or_insert(entry.span);
        match &entry.value.data {
            Data::Map(_) => {
                let inner = into.entry(entry.key.clone()).or_insert_with(|| Value::Object(Map::new()));
                match inner {
                    Value::Object(inner) => merge(report, places, &entry.value, inner, &path),
                    _ => twice(report, &path, entry.span, first),
                }
            }
            Data::Text(text, _) => {
                if into.contains_key(&entry.key) {
                    twice(report, &path, entry.span, first);
                } else if let Some(value) = value(report, &entry.value, text, entry.span) {
                    into.insert(entry.key.clone(), Value::String(value));
                }
            }
            Data::Null | Data::Bool(..) | Data::Number(..) | Data::List(_) => {}
        }
    }
}

fn twice(report: &mut Report<'_>, path: &str, span: Span, first: Span) {
    let message = format!("the secret `{path}` is defined twice, first at {}", report.place(first));
    report.error(span, "duplicate_name", message);
}

fn value(report: &mut Report<'_>, node: &Node, text: &str, span: Span) -> Option<String> {
    let rendered = match Site::of("secrets", node) {
        None => text.to_owned(),
        Some(_) => match analysis::analyse(text) {
            Ok(usage) if usage.vals => {
                not_yet_supported(
                    report,
                    span,
                    "the filter `vals` is not available in this version; this secret has no value",
                );
                return None;
            }
            Ok(_) => match template::render_text(text, &minijinja::Value::UNDEFINED) {
                Ok(rendered) => rendered,
                Err(_) => {
                    report.error(
                        span,
                        "template_error",
                        "the template of this secret fails; it can refer to nothing",
                    );
                    return None;
                }
            },
            Err(_) => {
                report.error(span, "template_syntax", "the template of this secret has a syntax error");
                return None;
            }
        },
    };
    if is_too_short(&rendered) {
        let least = stroem_core::limits::SECRET_LENGTH_MIN;
        let message = format!("a secret needs at least {least} characters, or it cannot be masked in logs");
        report.error(span, "short_secret", message);
    }
    Some(rendered)
}
