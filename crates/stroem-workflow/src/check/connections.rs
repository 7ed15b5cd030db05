//! Connections against their types.

use crate::{
    InputType,
    lower::{FileModel, input::hides_a_type},
    report::{Report, did_you_mean},
    yaml::{Entry, Node},
};

use super::registry::Registry;

pub(super) fn check(report: &mut Report<'_>, files: &[FileModel], registry: &Registry<'_>) {
    for (name, connection_type) in &registry.connection_types {
        if hides_a_type(name) {
            let message = format!("`{name}` is an input type of the language");
            report.error_with(
                connection_type.span,
                "bad_name",
                message,
                Some("choose another name".to_owned()),
            );
        }
    }
    for connection_type in registry.connection_types.values() {
        properties(&connection_type.node)
            .entries()
            .iter()
            .for_each(|property| check_property(report, property));
    }
    for connection in files.iter().flat_map(|file| &file.connections) {
        let Some(written) = connection.node.get("type") else { continue };
        let Some(name) = written.as_text() else { continue };
        let Some(connection_type) = registry.connection_types.get(name) else {
            if registry.is_whole() {
                let help = did_you_mean(name, registry.connection_types.keys().copied());
                let message = format!("there is no connection type `{name}`");
                report.error_with(written.span, "unknown_connection_type", message, help);
            }
            continue;
        };
        let properties = properties(&connection_type.node);
        for entry in connection.node.entries().iter().filter(|entry| entry.key != "type") {
            if properties.entry(&entry.key).is_none() {
                let names = properties.entries().iter().map(|entry| entry.key.as_str());
                let message = format!("`{}` is not a property of the connection type `{name}`", entry.key);
                report.error_with(entry.span, "unknown_key", message, did_you_mean(&entry.key, names));
            }
        }
        for property in properties.entries() {
            check_value(report, &connection.node, property);
            let required = property.value.get("required").and_then(Node::as_bool).unwrap_or(false);
            let given =
                connection.node.entry(&property.key).is_some() || property.value.entry("default").is_some();
            if required && !given {
                let message = format!("a connection of type `{name}` needs the key `{}`", property.key);
                let help = format!("add `{}` to the connection", property.key);
                report.error_with(connection.span, "missing_key", message, Some(help));
            }
        }
    }
}

/// A property's type and default. Connection types cannot be nested.
fn check_property(report: &mut Report<'_>, property: &Entry) {
    if let Some(written) = property.value.get("type")
        && let Some(name) = written.as_text().filter(|name| !hides_a_type(name))
    {
        let help = did_you_mean(name, InputType::SPELLINGS.iter().map(|(spelling, _)| *spelling));
        let message = format!("`{name}` is not the type of a property");
        report.error_with(written.span, "unknown_type", message, help.or(Some(PROPERTY_TYPES.to_owned())));
    }
    if let Some(default) = property.value.get("default")
        && let Some(message) = refuse(property, default)
    {
        report.error(default.span, "bad_default", format!("the default of `{}` {message}", property.key));
    }
}

const PROPERTY_TYPES: &str = "write `string`, `text`, `integer`, `number`, `boolean`, `date` or `datetime`";

/// A literal value against the type of its property.
fn check_value(report: &mut Report<'_>, connection: &Node, property: &Entry) {
    if let Some(given) = connection.get(&property.key)
        && let Some(message) = refuse(property, given)
    {
        report.error(given.span, "bad_property", format!("`{}` {message}", property.key));
    }
}

fn refuse(property: &Entry, given: &Node) -> Option<String> {
    let written = property.value.get("type").and_then(Node::as_text).unwrap_or("string");
    let (_, input_type) = InputType::SPELLINGS.iter().find(|(spelling, _)| *spelling == written)?;
    // Hosts and versions are often written without quotes: what is spelled as a scalar is a text.
    let textual = matches!(input_type, InputType::String | InputType::Text) && given.as_scalar().is_some();
    let templated = given.as_text().is_some_and(crate::template::is_template);
    input_type.refuse(&given.to_json()).filter(|_| !textual && !templated)
}

fn properties(node: &Node) -> &Node {
    match node.entries() {
        [only] if only.key == "properties" => &only.value,
        _ => node,
    }
}
