//! Actions and the bodies of inline steps.

use indexmap::IndexMap;
use stroem_core::{Container, HumanDuration, Language, PullPolicy, Resources, RunnerKind, Tag};

use super::{
    input::{FieldModel, lower_schema, schema},
    shape,
    sites::{Site, collect},
    step::{duration, tags},
};
use crate::{
    ActionType, PlanAction, ScriptSource,
    report::{Report, Span},
    table::ACTION,
    yaml::{Entry, Node},
};

/// An action under `actions`.
pub(crate) struct ActionModel {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) description: Option<String>,
    pub(crate) body: Option<Body>,
}

/// What an action runs.
pub(crate) struct Body {
    pub(crate) action: PlanAction,
    pub(crate) fields: Vec<FieldModel>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) timeout: Option<HumanDuration>,
    pub(crate) sites: Vec<Site>,
    /// The child task of `type: task`.
    pub(crate) task: Option<(String, Span)>,
    /// What this version reads but cannot run: place and words.
    pub(crate) unsupported: Vec<(Span, String)>,
}

pub(super) fn lower_action(report: &mut Report<'_>, entry: &Entry) -> ActionModel {
    let node = &entry.value;
    let action_type = shape::written_type(&ACTION, node);
    check_keys_together(report, node, entry.span, action_type);
    ActionModel {
        name: entry.key.clone(),
        span: entry.span,
        description: node.get("description").and_then(Node::as_text).map(str::to_owned),
        body: action_type.map(|_| lower_body(node, false)),
    }
}

/// Rules that need two keys of the same action.
pub(super) fn check_keys_together(report: &mut Report<'_>, node: &Node, at: Span, action_type: Option<&str>) {
    let both = |first: &str, second: &str| node.entry(first).and_then(|_| node.entry(second));
    if action_type == Some("script") {
        if let Some(second) = both("script", "source") {
            let message = "`script` is the program's text and `source` its path; an action has one of them";
            report.error(second.span, "script_and_source", message);
        }
        let lacks = |name: &str| node.entry(name).is_none() && !shape::is_misspelt(&ACTION, node, name);
        if lacks("script") && lacks("source") {
            let help =
                "add `script: |` with the program's text below it, or `source` with its path".to_owned();
            report.error_with(
                at,
                "missing_key",
                "an action of type `script` needs `script` or `source`",
                Some(help),
            );
        }
        let is_pod = node.get("runner").and_then(Node::as_text) == Some("pod");
        if let Some(manifest) = node.entry("manifest").filter(|_| !is_pod) {
            let help = "add `runner: pod`, or remove `manifest`".to_owned();
            let message = "`manifest` changes the pod, and this script does not run in one";
            report.error_with(manifest.span, "key_of_another_runner", message, Some(help));
        }
        if let Some(container) =
            node.entry("container").filter(|_| runner(ActionType::Script, node) != Some(RunnerKind::Docker))
        {
            let help = if is_pod {
                "write it into `manifest`, or write `runner: docker`"
            } else {
                "add `runner: docker`, or remove `container`"
            };
            let message =
                "`container` changes the container of a Docker engine, and this script does not run in one";
            report.error_with(container.span, "key_of_another_runner", message, Some(help.to_owned()));
        }
        let shell = language(node) == Language::Shell;
        if let Some(dependencies) = node.entry("dependencies").filter(|_| shell) {
            let message = "`dependencies` are packages of a language, and `shell` has none";
            report.error(dependencies.span, "key_of_another_language", message);
        }
    }
    let runs_elsewhere = match action_type {
        Some("script") => runner(ActionType::Script, node) != Some(RunnerKind::Docker),
        other => other == Some("pod"),
    };
    if let Some(pids) =
        node.get("resources").and_then(|limits| limits.entry("pids")).filter(|_| runs_elsewhere)
    {
        let help = "remove it, or run the step with `runner: docker` or `type: docker`".to_owned();
        let message = "`pids` limits a container of a Docker engine, and this step does not run in one";
        report.error_with(pids.span, "key_of_another_runner", message, Some(help));
    }
    if let Some(source) = node.get("source") {
        let literal = source.as_text().filter(|text| !crate::template::is_template(text));
        if let Some(message) = literal.and_then(crate::render::leaves_workspace) {
            report.error(source.span, "outside_workspace", message);
        }
    }
    if let Some(second) = both("cmd", "command") {
        let message = "`cmd` runs through `sh -c` and `command` replaces the image's command; an action has one of them";
        report.error(second.span, "cmd_and_command", message);
    }
    if action_type.is_some_and(|name| matches!(name, "docker" | "pod"))
        && let Some(image) = node.get("image")
        && image.as_text().is_some_and(|image| image.trim().is_empty())
    {
        let help = "write an image, such as `image: alpine`".to_owned();
        report.error_with(image.span, "no_value", "`image` is empty", Some(help));
    }
}

fn language(node: &Node) -> Language {
    node.get("language").and_then(Node::as_text).and_then(|text| text.parse().ok()).unwrap_or(Language::Shell)
}

/// The body of a well-formed action or inline step. An inline step's `input`, `tags` and `timeout` are the step's.
pub(super) fn lower_body(node: &Node, inline: bool) -> Body {
    let text = |key: &str| node.get(key).and_then(Node::as_text).map(str::to_owned);
    let list = |key: &str| {
        let items = node.get(key)?.as_list()?;
        Some(items.iter().filter_map(|item| item.as_scalar().map(str::to_owned)).collect::<Vec<_>>())
    };
    let action_type = action_type(node);
    let script = action_type == ActionType::Script;
    let env = node.get("env").map(Node::entries).unwrap_or_default();
    let fields = if inline { Vec::new() } else { lower_schema(node.get("input")) };
    let resources = node.get("resources");
    let quantity = |key: &str| resources.and_then(|resources| resources.get(key)).and_then(Node::as_scalar);
    let action = PlanAction {
        action_type,
        input: schema(&fields),
        env: env
            .iter()
            .filter_map(|e| Some((e.key.clone(), e.value.as_scalar()?.to_owned())))
            .collect::<IndexMap<_, _>>(),
        resources: Resources {
            cpu: quantity("cpu").and_then(|text| text.parse().ok()),
            memory: quantity("memory").and_then(|text| text.parse().ok()),
            pids: quantity("pids").and_then(|text| text.parse().ok()),
        },
        container: node.get("container").map(container).unwrap_or_default(),
        workdir: text("workdir"),
        runner: runner(action_type, node),
        language: script.then(|| language(node)),
        source: text("script").map(ScriptSource::Inline).or_else(|| text("source").map(ScriptSource::File)),
        interpreter: text("interpreter"),
        args: list("args").unwrap_or_default(),
        dependencies: list("dependencies").unwrap_or_default(),
        image: text("image"),
        cmd: text("cmd"),
        entrypoint: list("entrypoint"),
        command: list("command"),
        manifest: node.get("manifest").map(Node::to_json),
    };
    Body {
        action,
        fields,
        tags: if inline { Vec::new() } else { tags(node.get("tags")) },
        timeout: if inline { None } else { duration(node.get("timeout")) },
        sites: sites(node),
        task: node.get("task").and_then(|task| Some((task.as_text()?.to_owned(), task.span))),
        unsupported: unsupported(node, inline),
    }
}

/// A well-formed `container`.
fn container(node: &Node) -> Container {
    let text = |key: &str| node.get(key).and_then(Node::as_text).map(str::to_owned);
    let list = |key: &str| node.get(key).and_then(Node::as_list).unwrap_or_default();
    Container {
        pull: text("pull").map(|word| PullPolicy::parse(&word)),
        network: text("network"),
        user: text("user"),
        read_only: node.get("read_only").and_then(Node::as_bool).unwrap_or_default(),
        cap_drop: list("cap_drop").iter().filter_map(Node::as_text).map(str::to_owned).collect(),
        mounts: list("mounts").iter().filter_map(|item| item.as_text()?.parse().ok()).collect(),
    }
}

fn action_type(node: &Node) -> ActionType {
    match shape::written_type(&ACTION, node) {
        Some("docker") => ActionType::Docker,
        Some("pod") => ActionType::Pod,
        Some("task") => ActionType::Task,
        Some("approval") => ActionType::Approval,
        Some("agent") => ActionType::Agent,
        _ => ActionType::Script,
    }
}

fn runner(action_type: ActionType, node: &Node) -> Option<RunnerKind> {
    match action_type {
        ActionType::Script => Some(match node.get("runner").and_then(Node::as_text) {
            Some("docker") => RunnerKind::Docker,
            Some("pod") => RunnerKind::Pod,
            _ => RunnerKind::Local,
        }),
        ActionType::Docker => Some(RunnerKind::Docker),
        ActionType::Pod => Some(RunnerKind::Pod),
        ActionType::Task | ActionType::Approval | ActionType::Agent => None,
    }
}

/// Keys of a body in which templates are filled in.
const TEMPLATED: [&str; 14] = [
    "env",
    "workdir",
    "script",
    "source",
    "interpreter",
    "args",
    "image",
    "cmd",
    "entrypoint",
    "command",
    "manifest",
    "message",
    "system_prompt",
    "prompt",
];

fn sites(node: &Node) -> Vec<Site> {
    let mut found = Vec::new();
    for key in TEMPLATED {
        if let Some(value) = node.get(key) {
            collect(key, value, &mut found);
        }
    }
    found
}

fn unsupported(node: &Node, inline: bool) -> Vec<(Span, String)> {
    let mut found = Vec::new();
    let mut add = |key: &str, words: String| {
        if let Some(entry) = node.entry(key) {
            found.push((entry.span, words));
        }
    };
    let action_type = action_type(node);
    if matches!(action_type, ActionType::Task | ActionType::Approval | ActionType::Agent) {
        add("type", format!("`type: {action_type}` is not available in this version"));
    }
    if !inline {
        add("retry", "`retry` is not available in this version".to_owned());
    }
    found
}
