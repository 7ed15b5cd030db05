//! Templates against what they may refer to. Paths to steps are handed back: only a task knows its steps.

use std::collections::BTreeMap;

use super::registry::Registry;
use crate::{
    lower::{action::ActionModel, input, sites::Site},
    report::{Report, Span, did_you_mean},
    template::analysis::{self, Path},
};

/// Variables that every template has.
const ROOTS: [&str; 8] = ["input", "secret", "secrets", "steps", "state", "global_state", "each", "hook"];

/// A path to the result of a step.
#[derive(Debug, Clone)]
pub(super) struct StepPath {
    pub(super) target: StepTarget,
    /// What is read of the result: `output` or `error`.
    pub(super) attribute: Option<String>,
    pub(super) span: Span,
}

#[derive(Debug, Clone)]
pub(super) enum StepTarget {
    /// By a variable: the step's name with `-` as `_`.
    Variable(String),
    /// `steps["name"]` or `steps.name`.
    Named(String),
    /// `steps` as a whole, or with an index that is not constant.
    Any,
}

/// What the templates of one place refer to.
#[derive(Debug, Default, Clone)]
pub(super) struct Found {
    pub(super) steps: Vec<StepPath>,
    pub(super) unsupported: Vec<(Span, String)>,
}

/// What templates of one place may refer to.
pub(super) struct Allowed<'a> {
    /// The names below `input`; none when any are allowed.
    pub(super) inputs: Option<Vec<&'a str>>,
    /// Whose inputs they are, for messages.
    pub(super) of: &'static str,
    /// Whether secrets are refused.
    pub(super) no_secrets: bool,
}

/// Checks one template and collects what it refers to.
pub(super) fn check_site(
    report: &mut Report<'_>,
    registry: &Registry<'_>,
    site: &Site,
    allowed: &Allowed<'_>,
    found: &mut Found,
) {
    let usage = match analysis::analyse(&site.text) {
        Ok(usage) => usage,
        Err(error) => {
            let at = match (error.offset, error.line) {
                (Some(offset), _) => site.at(report, offset, 1),
                (None, Some(line)) => site.at(report, line_start(&site.text, line), 1),
                (None, None) => site.at(report, 0, 1),
            };
            let message = format!("the template of `{}` has a syntax error: {}", site.place, error.message);
            // A shell's `${#name}` looks like the beginning of a template's comment.
            let help = site.text.contains("${#").then(|| {
                "`{#` begins a comment in templates: write `{% raw %}${#name}{% endraw %}` for the shell's length".to_owned()
            });
            report.error_with(at, "template_syntax", message, help);
            return;
        }
    };
    for unknown in &usage.unknown {
        let at = site.at(report, unknown.offset, unknown.name.len());
        let help = unknown.suggestion.map(|name| format!("did you mean `{name}`?"));
        report.error_with(
            at,
            "unknown_in_template",
            format!("there is no {} `{}`", unknown.what, unknown.name),
            help,
        );
    }
    if usage.vals {
        let words = "the filter `vals` is not available in this version".to_owned();
        found.unsupported.push((site.at(report, 0, 1), words));
    }
    for path in &usage.paths {
        let span = site.at(report, path.offset, written_length(&site.text, path));
        check_path(report, registry, path, span, allowed, found);
    }
}

/// How many characters of a path are underlined: what is looked up, as far as it is written with dots.
fn written_length(text: &str, path: &Path) -> usize {
    let parts = match path.root() {
        "input" | "steps" => 2,
        "secret" | "secrets" => path.parts.len(),
        _ => 1,
    };
    let rest = text.get(path.offset..).unwrap_or_default();
    let dotted = (1..=parts.min(path.parts.len())).rev().map(|count| path.parts[..count].join("."));
    dotted.into_iter().find(|written| rest.starts_with(written)).map_or(1, |written| written.chars().count())
}

fn check_path(
    report: &mut Report<'_>,
    registry: &Registry<'_>,
    path: &Path,
    span: Span,
    allowed: &Allowed<'_>,
    found: &mut Found,
) {
    match path.root() {
        "input" => check_input(report, path, span, allowed),
        "secret" | "secrets" => check_secret(report, registry, path, span, allowed),
        "steps" => {
            let target = path.part(1).map_or(StepTarget::Any, |name| StepTarget::Named(name.to_owned()));
            found.steps.push(StepPath { target, attribute: path.part(2).map(str::to_owned), span });
        }
        "state" | "global_state" | "each" | "hook" => {
            found.unsupported.push((span, format!("`{}` is not available in this version", path.root())));
        }
        name => {
            let target = StepTarget::Variable(name.to_owned());
            found.steps.push(StepPath { target, attribute: path.part(1).map(str::to_owned), span });
        }
    }
}

fn check_input(report: &mut Report<'_>, path: &Path, span: Span, allowed: &Allowed<'_>) {
    let (Some(inputs), Some(name)) = (&allowed.inputs, path.part(1)) else { return };
    if !inputs.contains(&name) {
        let help = did_you_mean(name, inputs.iter().copied()).or_else(|| {
            let list = inputs.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            Some(if list.is_empty() {
                "it has no inputs".to_owned()
            } else {
                format!("its inputs are {list}")
            })
        });
        report.error_with(span, "unknown_input", format!("`{name}` is not an input of {}", allowed.of), help);
    }
}

fn check_secret(
    report: &mut Report<'_>,
    registry: &Registry<'_>,
    path: &Path,
    span: Span,
    allowed: &Allowed<'_>,
) {
    if allowed.no_secrets {
        let message = "a condition cannot use a secret: whether the step runs would tell about its value";
        report.error(span, "secret_in_condition", message);
        return;
    }
    let parts: Vec<&str> = path.parts[1..].iter().map(String::as_str).collect();
    if registry.is_whole() && !registry.secrets.contains(&parts) {
        let known = (0..parts.len()).rev().find(|end| registry.secrets.contains(&parts[..*end])).unwrap_or(0);
        let names = registry.secrets.names(&parts[..known]);
        let help = parts.get(known).and_then(|name| did_you_mean(name, names));
        report.error_with(span, "unknown_secret", format!("there is no secret `{}`", parts.join(".")), help);
    }
}

/// The body of a referenced action, checked once for all steps that use it.
pub(super) fn check_actions<'m>(
    report: &mut Report<'_>,
    registry: &Registry<'m>,
) -> BTreeMap<&'m str, Found> {
    registry.actions.iter().map(|(name, action)| (*name, check_action(report, registry, action))).collect()
}

fn check_action(report: &mut Report<'_>, registry: &Registry<'_>, action: &ActionModel) -> Found {
    let mut found = Found::default();
    let Some(body) = &action.body else { return found };
    input::check(report, &body.fields, &registry.known_types(report), true);
    let known = body.fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>();
    let inputs = (!known.is_empty()).then_some(known);
    let allowed = Allowed { inputs, of: "this action", no_secrets: false };
    for site in &body.sites {
        check_site(report, registry, site, &allowed, &mut found);
    }
    if let Some((task, span)) = &body.task {
        registry.task(report, task, *span);
    }
    for (span, words) in body.unsupported.iter().chain(&found.unsupported) {
        crate::lower::not_yet_supported(report, *span, words);
    }
    found
}

/// A default that is a template sees what the step's `input` sees.
pub(super) fn check_defaults(
    report: &mut Report<'_>,
    registry: &Registry<'_>,
    action: &ActionModel,
    given: &[&str],
    found: &mut Found,
) {
    let Some(body) = &action.body else { return };
    let allowed = Allowed { inputs: None, of: "this task", no_secrets: false };
    for field in body.fields.iter().filter(|field| !given.contains(&field.name.as_str())) {
        for site in &field.default_sites {
            check_site(report, registry, site, &allowed, found);
        }
    }
}

/// The names that a misspelt variable may have meant.
pub(super) fn roots<'a>() -> impl Iterator<Item = &'a str> {
    ROOTS.iter().copied()
}

fn line_start(text: &str, line: usize) -> usize {
    text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum()
}
