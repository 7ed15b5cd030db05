//! Input schemas.

use indexmap::IndexMap;

use super::{
    shape::is_input_type,
    sites::{Site, collect},
    step::flag,
};
use crate::{
    InputField, InputType,
    report::{Report, Span},
    yaml::Node,
};

/// One field with its places.
pub(crate) struct FieldModel {
    pub(crate) name: String,
    pub(crate) field: InputField,
    /// The place of `type`, or of the field.
    pub(crate) type_span: Span,
    /// The place of `default`; of a secret, the field's own, as excerpts show what stands there.
    pub(crate) default_span: Option<Span>,
    pub(crate) default_sites: Vec<Site>,
    options_spans: Vec<Span>,
}

/// The fields of a schema, as far as they are well-formed.
pub(super) fn lower_schema(node: Option<&Node>) -> Vec<FieldModel> {
    let entries = node.map(Node::entries).unwrap_or_default();
    entries.iter().map(|entry| field(&entry.key, entry.span, &entry.value)).collect()
}

/// The schema without its places.
pub(super) fn schema(fields: &[FieldModel]) -> IndexMap<String, InputField> {
    fields.iter().map(|field| (field.name.clone(), field.field.clone())).collect()
}

fn field(name: &str, span: Span, node: &Node) -> FieldModel {
    let text = |key: &str| node.get(key).and_then(Node::as_text).map(str::to_owned);
    let written = node.get("type");
    let input_type = match written.and_then(Node::as_text) {
        None => InputType::String,
        Some(text) => {
            let known = InputType::SPELLINGS.iter().find(|(spelling, _)| *spelling == text);
            known.map_or_else(|| InputType::Connection(text.to_owned()), |(_, known)| known.clone())
        }
    };
    let default = node.get("default");
    let options = node.get("options").and_then(Node::as_list);
    let mut default_sites = Vec::new();
    if let Some(default) = default {
        collect(&format!("input.{name}.default"), default, &mut default_sites);
    }
    FieldModel {
        name: name.to_owned(),
        field: InputField {
            input_type,
            name: text("name"),
            description: text("description"),
            required: flag(node, "required"),
            secret: flag(node, "secret"),
            default: default.map(Node::to_json),
            options: options.map(|items| items.iter().map(Node::to_json).collect()),
            allow_custom: flag(node, "allow_custom"),
            multiple: flag(node, "multiple"),
            order: node.get("order").and_then(|order| order.to_json().as_i64()),
        },
        type_span: written.map_or(span, |written| written.span),
        default_span: default.map(|default| if flag(node, "secret") { span } else { default.span }),
        default_sites,
        options_spans: options.unwrap_or_default().iter().map(|item| item.span).collect(),
    }
}

/// The connection types of the workspace.
pub(crate) struct KnownTypes<'m> {
    pub(crate) names: Vec<&'m str>,
    /// A file that could not be read to its end, and that may define more.
    pub(crate) unread: Option<String>,
}

impl KnownTypes<'_> {
    fn check(&self, report: &mut Report<'_>, name: &str, span: Span) -> bool {
        if self.names.contains(&name) {
            return true;
        }
        let known =
            InputType::SPELLINGS.iter().map(|(spelling, _)| *spelling).chain(self.names.iter().copied());
        let help = crate::report::did_you_mean(name, known);
        let message = format!("`{name}` is neither an input type nor a connection type");
        match &self.unread {
            None => report.error_with(span, "unknown_type", message, help),
            Some(file) => {
                let message = format!("{message}; {file} may define it, but cannot be read to its end");
                let help = help.or_else(|| Some(format!("mend the errors of {file}")));
                report.warning(span, "action_out_of_service", message, help);
            }
        }
        false
    }
}

/// Types, defaults and options that do not fit each other. `templates` tells whether defaults may hold templates.
pub(crate) fn check(report: &mut Report<'_>, fields: &[FieldModel], types: &KnownTypes<'_>, templates: bool) {
    for field in fields {
        if let InputType::Connection(name) = &field.field.input_type
            && !types.check(report, name, field.type_span)
        {
            continue;
        }
        check_values(report, field, templates);
    }
}

fn check_values(report: &mut Report<'_>, field: &FieldModel, templates: bool) {
    let one = InputField { multiple: false, options: None, ..field.field.clone() };
    for (option, span) in field.field.options.iter().flatten().zip(&field.options_spans) {
        if let Some(message) = one.refuse(option) {
            report.error(*span, "bad_option", format!("an option of `{}` {message}", field.name));
        }
    }
    let (Some(default), Some(span)) = (&field.field.default, field.default_span) else { return };
    if !field.default_sites.is_empty() {
        if !templates {
            let help = "the defaults of a task's input are literal; put the template into the step's `input`"
                .to_owned();
            report.error_with(span, "template_not_allowed", "a template cannot stand here", Some(help));
        }
        return;
    }
    if let Some(message) = field.field.refuse(default) {
        report.error(span, "bad_default", format!("the default of `{}` {message}", field.name));
    } else if field.field.secret && default.as_str().is_some_and(crate::secrets::is_too_short) {
        let least = stroem_core::limits::SECRET_LENGTH_MIN;
        report.error(
            span,
            "short_secret",
            format!("a secret needs at least {least} characters, or it cannot be masked"),
        );
    }
}

/// Whether a connection type of this name would hide a type of the language.
pub(crate) fn hides_a_type(name: &str) -> bool {
    is_input_type(name)
}
