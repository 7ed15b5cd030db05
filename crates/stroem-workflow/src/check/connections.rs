//! Connections against their types.

use crate::{
    lower::{FileModel, input::hides_a_type},
    report::{Report, did_you_mean},
    yaml::Node,
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
            let required = property.value.get("required").and_then(Node::as_bool).unwrap_or(false);
            let given =
                connection.node.entry(&property.key).is_some() || property.value.entry("default").is_some();
            if required && !given {
                let message = format!("a connection of type `{name}` needs the key `{}`", property.key);
                report.error(connection.span, "missing_key", message);
            }
        }
    }
}

fn properties(node: &Node) -> &Node {
    match node.entries() {
        [only] if only.key == "properties" => &only.value,
        _ => node,
    }
}
