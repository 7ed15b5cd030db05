//! Checks a tree against the tables: keys, types and everything a value shows by itself. Lowering then only takes what
//! is well-formed and never reports it again. What needs a second place (another key, another file) is not its business.

use stroem_core::{ActionName, NameError, StepName, TaskName};

use super::value;
use crate::{
    input::InputType,
    report::{Report, Span, did_you_mean, nearest},
    table::{ACTION, CONSTRUCTS, Construct, HOOK, Key, Kind, Named, Rest, STEP},
    yaml::{Data, Entry, Node},
};

/// Checks a map with known keys. `at` is the place of the key that holds it.
pub(crate) fn check(report: &mut Report<'_>, construct: &Construct, node: &Node, at: Span) {
    if std::ptr::eq(construct, &raw const HOOK) {
        return super::step::check_hook(report, node, at);
    }
    if !is_map(report, construct.title, node) {
        return;
    }
    let construct_type = written_type(construct, node);
    if construct.key("allow_custom").is_some() && node.entry("options").is_none() {
        let changes = "whether values beside `options` are allowed, and there are no `options`";
        no_effect(report, node, "allow_custom", changes);
    }
    for entry in node.entries() {
        check_key(report, construct, construct_type, entry);
    }
    check_required(report, construct, construct_type, node, at);
}

/// The value of `type` when it selects keys and is a known one.
pub(super) fn written_type<'n>(construct: &Construct, node: &'n Node) -> Option<&'n str> {
    let Kind::Choice(types) = construct.key("type")?.kind else { return None };
    node.get("type").and_then(Node::as_text).filter(|name| types.contains(name))
}

pub(super) fn is_map(report: &mut Report<'_>, title: &str, node: &Node) -> bool {
    if matches!(node.data, Data::Map(_) | Data::Null) {
        return true;
    }
    let help = "write it as a map: `{ key: value }`, or lines such as `key: value`".to_owned();
    let message = format!("{title} is a map, not {}", node.describe());
    report.error_with(node.span, "wrong_type", message, Some(help));
    false
}

/// Checks one entry of a map with known keys.
pub(super) fn check_key(
    report: &mut Report<'_>,
    construct: &Construct,
    construct_type: Option<&str>,
    entry: &Entry,
) {
    match construct.key(&entry.key) {
        Some(key) if key.is_on(construct_type) => value::check_value(report, &key.kind, entry),
        Some(key) => {
            let types = either(key.on);
            let of = construct_type.unwrap_or_default();
            let message = format!(
                "`{}` is not a key of {} of type `{of}`; {types} takes it",
                key.name, construct.title
            );
            let help = format!("remove it, or write `type: {}`", key.on.first().copied().unwrap_or_default());
            report.error_with(entry.span, "key_of_another_type", message, Some(help));
        }
        None => match construct.rest {
            Rest::Any => {}
            Rest::Each(inner) => check(report, inner, &entry.value, entry.span),
            Rest::None => {
                let names = construct.keys.iter().filter(|key| key.is_on(construct_type)).map(|key| key.name);
                unknown_key(report, construct.title, entry, names);
            }
        },
    }
}

pub(super) fn unknown_key<'k>(
    report: &mut Report<'_>,
    title: &str,
    entry: &Entry,
    names: impl Iterator<Item = &'k str> + Clone,
) {
    let names: Vec<&str> = names.collect();
    let help = did_you_mean(&entry.key, names.iter().copied())
        .or_else(|| synonym(&entry.key, &names))
        .or_else(|| elsewhere(&entry.key))
        .unwrap_or_else(|| the_keys(&names));
    report.error_with(
        entry.span,
        "unknown_key",
        format!("`{}` is not a key of {title}", entry.key),
        Some(help),
    );
}

/// What other tools call a key, and what it is called here.
const SYNONYMS: &[(&str, &str)] = &[
    ("if", "when"),
    ("condition", "when"),
    ("needs", "depends_on"),
    ("requires", "depends_on"),
    ("after", "depends_on"),
    ("uses", "action"),
    ("with", "input"),
    ("params", "input"),
    ("parameters", "input"),
    ("inputs", "input"),
    ("run", "script"),
    ("code", "script"),
    ("entry_point", "entrypoint"),
    ("steps", "flow"),
    ("jobs", "flow"),
    ("environment", "env"),
    ("cwd", "workdir"),
    ("working_directory", "workdir"),
    ("working-directory", "workdir"),
    ("retries", "retry"),
    ("attempts", "max_attempts"),
    ("matrix", "for_each"),
    ("loop", "for_each"),
    ("with_items", "for_each"),
    ("schedule", "cron"),
    ("on_failure", "on_error"),
    ("on_cancelled", "on_cancel"),
    ("labels", "tags"),
    ("requirements", "dependencies"),
    ("packages", "dependencies"),
    ("pull_policy", "pull"),
    ("network_mode", "network"),
    ("networks", "network"),
    ("volumes", "mounts"),
    ("binds", "mounts"),
    ("pids_limit", "pids"),
];

fn synonym(written: &str, names: &[&str]) -> Option<String> {
    let (_, here) = SYNONYMS.iter().find(|(other, here)| *other == written && names.contains(here))?;
    Some(format!("it is called `{here}` here"))
}

/// Where in a file a key could stand.
fn elsewhere(written: &str) -> Option<String> {
    let places: Vec<&str> = CONSTRUCTS
        .iter()
        .map(|(_, construct)| construct)
        .filter(|construct| construct.key(written).is_some())
        .map(|construct| construct.title)
        .collect();
    (!places.is_empty())
        .then(|| format!("it is a key of {}: move it there or remove it", places.join(" and of ")))
}

fn the_keys(names: &[&str]) -> String {
    let mut list: Vec<String> = Vec::new();
    for name in names.iter().map(|name| format!("`{name}`")) {
        if !list.contains(&name) {
            list.push(name);
        }
    }
    format!("the keys are {}", list.join(", "))
}

pub(super) fn check_required(
    report: &mut Report<'_>,
    construct: &Construct,
    construct_type: Option<&str>,
    node: &Node,
    at: Span,
) {
    let selects = construct.keys.iter().any(|key| !key.on.is_empty());
    let missing = |key: &&Key| {
        key.required && node.entry(key.name).is_none() && !is_misspelt(construct, node, key.name)
    };
    for key in construct.keys.iter().filter(missing) {
        // Which of the typed keys are required is not known before the type is.
        if key.on.is_empty() || (selects && construct_type.is_some() && key.is_on(construct_type)) {
            let of_type = construct_type.filter(|_| !key.on.is_empty());
            let of_type = of_type.map(|name| format!(" of type `{name}`")).unwrap_or_default();
            let message = format!("{}{of_type} needs the key `{}`", construct.title, key.name);
            let guess = if key.name == "type" { guess_type(construct, node) } else { None };
            let help = guess.unwrap_or_else(|| {
                let mut meaning = key.doc.trim_end_matches('.').to_owned();
                if let Some(first) = meaning.get_mut(..1) {
                    first.make_ascii_lowercase();
                }
                format!("add `{}`: {meaning}", key.name)
            });
            report.error_with(at, "missing_key", message, Some(help));
        }
    }
}

/// The `type` that the other keys of a construct point to.
pub(super) fn guess_type(construct: &Construct, node: &Node) -> Option<String> {
    let Kind::Choice(types) = construct.key("type")?.kind else { return None };
    let fits = |name: &&&str| {
        node.entries().iter().filter_map(|entry| construct.key(&entry.key)).any(|key| {
            // A key of one type, or of two of which the first is the common one.
            key.on == [**name] || (key.on.len() == 2 && key.on[0] == **name)
        })
    };
    types.iter().find(fits).map(|name| format!("add `type: {name}`"))
}

/// Whether an unknown key of the map is likely this one, so that it is not missing but misspelt.
pub(super) fn is_misspelt(construct: &Construct, node: &Node, name: &str) -> bool {
    let unknown = node.entries().iter().filter(|entry| construct.key(&entry.key).is_none());
    unknown
        .filter(|entry| ACTION.key(&entry.key).is_none())
        .any(|entry| nearest(&entry.key, [name]).is_some())
}

pub(super) fn either(words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(" or ")
}

/// Warns of a key that changes something which is not there.
pub(super) fn no_effect(report: &mut Report<'_>, node: &Node, key: &str, changes: &str) {
    if let Some(entry) = node.entry(key).filter(|entry| entry.value.as_bool() != Some(false)) {
        report.warning(entry.span, "no_effect", format!("`{key}` has no effect: it says {changes}"), None);
    }
}

/// Checks a name that a user chose.
pub(super) fn name(report: &mut Report<'_>, named: Named, entry: &Entry) {
    let checked: Result<(), NameError> = match named {
        Named::Task => TaskName::new(&entry.key).map(drop),
        Named::Action => ActionName::new(&entry.key).map(drop),
        Named::Step => StepName::new(&entry.key).map(drop),
        Named::Field | Named::Other if entry.key.trim().is_empty() => Err(NameError::Empty { what: "this" }),
        Named::Field | Named::Other => Ok(()),
    };
    if let Err(error) = checked {
        report.error(entry.span, "bad_name", error.to_string());
    }
}

/// The keys of an action that a step does not have itself.
pub(super) fn action_only(name: &str) -> bool {
    STEP.key(name).is_none() && ACTION.key(name).is_some()
}

/// Whether a text is the spelling of an input type of the language.
pub(crate) fn is_input_type(text: &str) -> bool {
    InputType::SPELLINGS.iter().any(|(spelling, _)| *spelling == text)
}
