//! One task against everything else: its steps, their actions and templates; ends with its plan.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use stroem_core::{RunnerKind, Tag, TagSet};

use super::{
    Use,
    graph::Graph,
    registry::Registry,
    templates::{Allowed, Found, StepPath, StepTarget, check_defaults, check_site, roots},
};
use crate::{
    ActionType, BodyInput, InputType, Plan, PlanAction, PlanStep,
    lower::{
        action::{ActionModel, Body},
        input, not_yet_supported,
        step::{StepAction, StepModel},
        task::TaskModel,
    },
    plan::PLAN_VERSION,
    report::{Report, Span, did_you_mean},
    template,
};

/// A task on its way to a plan.
pub(super) struct Draft {
    /// None when a part of it could not be read.
    pub(super) plan: Option<Plan>,
    /// The files that must be in order for it to run.
    pub(super) files: BTreeSet<u32>,
    /// Actions and child tasks that it refers to.
    pub(super) uses: Vec<Use>,
    /// Why this version cannot run it.
    pub(super) unsupported: Vec<String>,
}

/// Checks a task.
pub(super) fn check(
    report: &mut Report<'_>,
    registry: &Registry<'_>,
    actions: &BTreeMap<&str, Found>,
    task: &TaskModel,
) -> Draft {
    input::check(report, &task.fields, &registry.known_types(report), false);
    let mut draft = Draft {
        plan: None,
        files: BTreeSet::from([task.span.file]),
        uses: Vec::new(),
        unsupported: Vec::new(),
    };
    for (span, words) in &task.unsupported {
        not_yet_supported(report, *span, words);
        draft.unsupported.push(words.clone());
    }
    for field in &task.fields {
        if let InputType::Connection(name) = &field.field.input_type
            && registry.connection_types.contains_key(name.as_str())
        {
            let words =
                format!("input `{}`: connections (`{name}`) are not available in this version", field.name);
            not_yet_supported(report, field.type_span, &words);
            draft.unsupported.push(words);
        }
    }
    let mut graph = Graph::new(report, &task.steps);
    let inputs = known_inputs(registry, task);
    let mut steps = Vec::with_capacity(task.steps.len());
    for (index, step) in (0_u32..).zip(&task.steps) {
        let mut checker =
            StepCheck { report, registry, task, step, index, graph: &mut graph, draft: &mut draft };
        steps.extend(checker.check(actions, inputs.as_deref()));
    }
    if steps.len() == task.steps.len() && !steps.is_empty() {
        draft.plan = Some(Plan {
            version: PLAN_VERSION,
            task: task.name.clone(),
            timeout: task.timeout,
            input: task.fields.iter().map(|field| (field.name.clone(), field.field.clone())).collect(),
            steps,
        });
    }
    draft
}

/// The names below `input` of the job; none when any are allowed.
fn known_inputs<'t>(registry: &Registry<'t>, task: &'t TaskModel) -> Option<Vec<&'t str>> {
    if task.fields.is_empty() {
        return None;
    }
    let mut names: Vec<&str> = task.fields.iter().map(|field| field.name.as_str()).collect();
    let by_webhook = registry.triggers.values().any(|trigger| {
        trigger.json["type"] == "webhook" && trigger.tasks.iter().any(|(name, _)| name == task.name.as_str())
    });
    if by_webhook {
        names.extend(["body", "headers", "method", "query"]);
    }
    Some(names)
}

struct StepCheck<'c, 'r, 'f> {
    report: &'c mut Report<'r>,
    registry: &'c Registry<'f>,
    task: &'c TaskModel,
    step: &'c StepModel,
    index: u32,
    graph: &'c mut Graph,
    draft: &'c mut Draft,
}

impl<'f> StepCheck<'_, '_, 'f> {
    fn check(&mut self, actions: &BTreeMap<&str, Found>, inputs: Option<&[&str]>) -> Option<PlanStep> {
        let step = self.step;
        let mut found = Found::default();
        self.check_when(inputs, &mut found);
        let allowed = Allowed { inputs: inputs.map(<[_]>::to_vec), of: "this task", no_secrets: false };
        for site in &step.input_sites {
            check_site(self.report, self.registry, site, &allowed, &mut found);
        }
        let mut body_found = Found::default();
        let (body, action_name) = match &step.action {
            StepAction::Inline(body) => {
                let own = step.input.iter().map(|(name, ..)| name.as_str());
                let inputs = inputs.map(|names| names.iter().copied().chain(own).collect());
                let allowed = Allowed { inputs, of: "this task or step", no_secrets: false };
                for site in &body.sites {
                    check_site(self.report, self.registry, site, &allowed, &mut body_found);
                }
                self.check_child_task(body);
                (Some(body.as_ref()), None)
            }
            StepAction::Reference(name, span) => match self.resolve(name, *span) {
                Some(action) => {
                    let given: Vec<&str> = step.input.iter().map(|(name, ..)| name.as_str()).collect();
                    check_defaults(self.report, self.registry, action, &given, &mut found);
                    body_found = self.referenced(actions, name, *span);
                    self.check_values(action);
                    (action.body.as_ref(), Some(name.clone()))
                }
                None => (None, None),
            },
            StepAction::Missing => (None, None),
        };
        self.note_unsupported(&found, &body_found, body, action_name.is_none());
        let references = self.resolve_steps(&found.steps, None);
        let body_references = self.resolve_steps(&body_found.steps, action_name.as_deref());
        body.map(|body| self.plan_step(body, action_name, references, body_references))
    }

    fn check_when(&mut self, inputs: Option<&[&str]>, found: &mut Found) {
        if let Some(site) = &self.step.when_site {
            let allowed = Allowed { inputs: inputs.map(<[_]>::to_vec), of: "this task", no_secrets: true };
            check_site(self.report, self.registry, site, &allowed, found);
        } else if let Some((when, span)) = &self.step.constant_when {
            let message = format!("this condition is always the same: `{when}` is not a template");
            let help = format!("write `when: \"{{{{ {when} }}}}\"`");
            self.report.warning(*span, "constant_condition", message, Some(help));
        }
    }

    fn check_child_task(&mut self, body: &Body) {
        let Some((task, span)) = &body.task else { return };
        if task == self.task.name.as_str() {
            self.report.error(*span, "task_in_itself", format!("the task `{task}` would run itself"));
        } else if let Some(found) = self.registry.task(self.report, task, *span) {
            let file = found.span.file;
            self.draft.uses.push(Use { what: "task", name: task.clone(), span: *span, file });
        }
    }

    fn resolve(&mut self, name: &str, span: Span) -> Option<&'f ActionModel> {
        let action = self.registry.action(self.report, name, span)?;
        let file = action.span.file;
        self.draft.files.insert(file);
        self.draft.uses.push(Use { what: "action", name: name.to_owned(), span, file });
        Some(action)
    }

    /// What the body of a referenced action refers to, told at the step.
    fn referenced(&mut self, actions: &BTreeMap<&str, Found>, name: &str, span: Span) -> Found {
        let mut found = actions.get(name).cloned().unwrap_or_default();
        for path in &mut found.steps {
            path.span = span;
        }
        found
    }

    /// The step's values against the schema of its action.
    fn check_values(&mut self, action: &ActionModel) {
        let Some(body) = &action.body else { return };
        if body.fields.is_empty() {
            return;
        }
        for (name, span, value) in &self.step.input {
            let Some(field) = body.fields.iter().find(|field| field.name == *name) else {
                let help = did_you_mean(name, body.fields.iter().map(|field| field.name.as_str()));
                let message = format!("`{name}` is not an input of the action `{}`", action.name);
                self.report.error_with(*span, "unknown_input", message, help);
                continue;
            };
            if !has_template(value)
                && !value.is_null()
                && let Some(message) = field.field.refuse(value)
            {
                self.report.error(*span, "bad_input", format!("`{name}` {message}"));
            }
        }
        for field in body.fields.iter().filter(|field| field.field.required && field.field.default.is_none())
        {
            if !self.step.input.iter().any(|(name, ..)| *name == field.name) {
                let message = format!("the action `{}` needs the input `{}`", action.name, field.name);
                let help = format!("add `{}` to the step's `input`", field.name);
                self.report.error_with(self.step.span, "missing_input", message, Some(help));
            }
        }
    }

    fn note_unsupported(&mut self, found: &Found, body_found: &Found, body: Option<&Body>, inline: bool) {
        let own = self.step.unsupported.iter().chain(&found.unsupported);
        let of_body = body
            .map(|body| body.unsupported.as_slice())
            .unwrap_or_default()
            .iter()
            .chain(&body_found.unsupported);
        let mut words: Vec<&String> = Vec::new();
        for (span, text) in own {
            not_yet_supported(self.report, *span, text);
            words.push(text);
        }
        for (span, text) in of_body {
            if inline {
                not_yet_supported(self.report, *span, text);
            }
            words.push(text);
        }
        words.dedup();
        self.draft.unsupported.extend(words.iter().map(|text| format!("step `{}`: {text}", self.step.name)));
    }

    /// The steps that paths lead to, sorted. `action` is the action whose body holds the paths.
    fn resolve_steps(&mut self, paths: &[StepPath], action: Option<&str>) -> Vec<u32> {
        let mut found = BTreeSet::new();
        for path in paths {
            let target = match &path.target {
                StepTarget::Any => {
                    if !self.graph.has_cycle() {
                        found.extend(self.graph.all_before(self.index));
                    }
                    continue;
                }
                StepTarget::Named(name) => self.graph.by_name(name).ok_or(name),
                StepTarget::Variable(name) => self.graph.by_template_name(name).ok_or(name),
            };
            match target {
                Ok(step) => {
                    if self.check_reference(path, step) {
                        found.insert(step);
                    }
                }
                Err(name) => self.unknown_variable(name, path, action),
            }
        }
        found.into_iter().collect()
    }

    fn unknown_variable(&mut self, name: &str, path: &StepPath, action: Option<&str>) {
        let help = did_you_mean(name, self.graph.template_names().chain(roots()));
        let message = match (action, &path.target) {
            (Some(action), _) => {
                format!(
                    "the action `{action}` refers to `{name}`, which is neither a step of this flow nor a variable"
                )
            }
            (None, StepTarget::Named(_)) => format!("there is no step `{name}` in this flow"),
            (None, _) => format!("`{name}` is neither a step of this flow nor a variable"),
        };
        self.report.error_with(path.span, "unknown_variable", message, help);
    }

    fn check_reference(&mut self, path: &StepPath, step: u32) -> bool {
        let other = &self.task.steps[step as usize].name;
        if let Some(attribute) = path.attribute.as_deref().filter(|name| !matches!(*name, "output" | "error"))
        {
            let help = did_you_mean(attribute, ["output", "error"]).unwrap_or_else(|| {
                format!("write `{}.output.{attribute}`", stroem_core::template_name(other.as_str()))
            });
            let message = format!("a step has `output` and `error`, not `{attribute}`");
            self.report.error_with(path.span, "unknown_attribute", message, Some(help));
            return false;
        }
        if step == self.index {
            let message = format!("the step `{other}` cannot use its own result");
            let help = "use it in a step that depends on this one".to_owned();
            self.report.error_with(path.span, "not_a_dependency", message, Some(help));
            return false;
        }
        if !self.graph.has_cycle() && !self.graph.is_before(step, self.index) {
            let name = &self.step.name;
            let message =
                format!("`{name}` does not depend on `{other}`, so that its result may not be there yet");
            let help = format!("add `{other}` to the `depends_on` of `{name}`");
            self.report.error_with(path.span, "not_a_dependency", message, Some(help));
            return false;
        }
        true
    }

    fn plan_step(
        &self,
        body: &Body,
        action_name: Option<String>,
        references: Vec<u32>,
        body_references: Vec<u32>,
    ) -> PlanStep {
        let step = self.step;
        let body_input = if action_name.is_some() { BodyInput::Step } else { BodyInput::JobThenStep };
        PlanStep {
            name: step.name.clone(),
            action_name,
            depends_on: self.graph.depends_on[self.index as usize].clone(),
            dependents: self.graph.dependents[self.index as usize].clone(),
            continue_on_failure: step.continue_on_failure,
            when: step.when.clone(),
            input: step.input.iter().map(|(name, _, value)| (name.clone(), value.clone())).collect(),
            body_input,
            required_tags: required_tags(&body.action, &body.tags, &step.tags),
            action: body.action.clone(),
            timeout: step.timeout.or(body.timeout),
            references,
            body_references,
        }
    }
}

fn has_template(value: &Value) -> bool {
    match value {
        Value::String(text) => template::is_template(text),
        Value::Array(items) => items.iter().any(has_template),
        Value::Object(map) => map.values().any(has_template),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// What the action needs, its own tags and the step's.
pub(super) fn required_tags(action: &PlanAction, action_tags: &[Tag], step_tags: &[Tag]) -> TagSet {
    let needed = match action.action_type {
        ActionType::Script => Some(action.runner.unwrap_or(RunnerKind::Local).required_tag()),
        ActionType::Docker => Some(RunnerKind::Docker.required_tag()),
        ActionType::Pod => Some(RunnerKind::Pod.required_tag()),
        ActionType::Agent => Some("agent"),
        ActionType::Task | ActionType::Approval => None,
    };
    let needed = needed.map(|tag| Tag::new(tag).expect("the built-in tags are letters"));
    needed.into_iter().chain(action_tags.iter().cloned()).chain(step_tags.iter().cloned()).collect()
}
