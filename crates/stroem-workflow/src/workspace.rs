//! All workflow files of a workspace at one revision.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::{Map, Value};
use stroem_core::{Language, RunnerKind, TagSet, TaskName};

use crate::{
    ActionType, Diagnostic, InputProblem, Plan, SecretTree, check, lower,
    report::{Report, nearest},
    routing::Route,
    yaml,
};

/// One file under `.workflows/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Relative to the workspace, with `/`, such as `.workflows/hello.yaml`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Loads all files, in sorted order of their paths. Never fails: problems are diagnostics, and a file with an error
/// takes only itself out of service.
pub fn load(files: &[SourceFile]) -> Workspace {
    let mut files: Vec<&SourceFile> = files.iter().collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let mut report = Report::new(&files);
    let mut unread = BTreeSet::new();
    let mut models = Vec::with_capacity(files.len());
    for (number, file) in (0_u32..).zip(&files) {
        let parsed = yaml::parse(number, &file.text, &mut report);
        let root = parsed.root.as_ref();
        // What was read of a broken file names its tasks; problems there would only follow from the first.
        models.push(if parsed.whole {
            lower::lower(&mut report, number, root)
        } else {
            unread.insert(number);
            report.muted(|report| lower::lower(report, number, root))
        });
    }
    let checked = check::check(report, &models, &unread);
    Workspace {
        tasks: checked.tasks,
        actions: checked.actions,
        triggers: checked.triggers,
        diagnostics: checked.diagnostics,
        secrets: checked.secrets,
        plans: checked.plans,
        routes: checked.routes,
    }
}

/// What a workspace offers.
#[derive(Debug, Clone, Default)]
pub struct Workspace {
    /// Tasks by name, broken ones included.
    pub tasks: BTreeMap<TaskName, TaskEntry>,
    /// Named actions by name, broken ones included.
    pub actions: BTreeMap<String, ActionEntry>,
    /// Triggers by name, broken ones included.
    pub triggers: BTreeMap<String, TriggerEntry>,
    /// Problems of all files, sorted by file, line, column.
    pub diagnostics: Vec<Diagnostic>,
    /// The secrets of all files.
    pub secrets: SecretTree,
    plans: BTreeMap<TaskName, Result<Arc<Plan>, PlanError>>,
    pub(crate) routes: Vec<Route>,
}

/// One task as lists and pages show it.
#[derive(Debug, Clone)]
pub struct TaskEntry {
    /// Its key.
    pub name: TaskName,
    /// `name:`, a label for people.
    pub label: Option<String>,
    /// `description:`.
    pub description: Option<String>,
    /// `folder:`, or the path of its file below `.workflows`.
    pub folder: Option<String>,
    /// The file that defines it.
    pub file: String,
    /// Whether it can run: its file and everything it refers to is in order.
    pub healthy: bool,
    /// The input schema as JSON, for forms.
    pub input: Value,
    /// The flow as JSON, for the graph: step name to `{action, type, runner, depends_on, when, tags, ...}`.
    pub flow: Value,
    /// Triggers of the task as JSON: `{name, type, cron?, task, enabled, input}`.
    pub triggers: Vec<Value>,
}

/// One named action as lists show it.
#[derive(Debug, Clone)]
pub struct ActionEntry {
    /// The file that defines it.
    pub file: String,
    /// Whether its file is in order.
    pub healthy: bool,
    /// Its kind; none when its `type` cannot be read.
    pub action_type: Option<ActionType>,
    /// Where it runs, if on a worker.
    pub runner: Option<RunnerKind>,
    /// The language of a script.
    pub language: Option<Language>,
    /// What a worker needs to take it, its own tags with what its kind needs.
    pub required_tags: TagSet,
    /// `description:`.
    pub description: Option<String>,
}

/// One trigger as lists show it.
#[derive(Debug, Clone)]
pub struct TriggerEntry {
    /// The file that defines it.
    pub file: String,
    /// Whether its file is in order.
    pub healthy: bool,
    /// `{name, type, cron?, task, enabled, input}`.
    pub json: Value,
}

/// Why a task has no plan.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// No task of that name.
    #[error("there is no task `{task}`{}", suggestion.as_ref().map(|s| format!("; did you mean `{s}`?")).unwrap_or_default())]
    UnknownTask {
        /// The name asked for.
        task: String,
        /// A task with a similar name.
        suggestion: Option<String>,
    },
    /// Its file, or one it needs, has errors.
    #[error("the task `{task}` is out of service: {} problem(s) in its files", diagnostics.len())]
    Broken {
        /// The task.
        task: String,
        /// The errors.
        diagnostics: Vec<Diagnostic>,
    },
    /// It uses a construct that this version reads but cannot run yet.
    #[error("the task `{task}` cannot run in this version: {}", reasons.join("; "))]
    Unsupported {
        /// The task.
        task: String,
        /// One sentence per construct, naming the step.
        reasons: Vec<String>,
    },
}

impl Workspace {
    /// The plan of a task.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn plan(&self, task: &str) -> Result<Plan, PlanError> {
        match self.plans.get(task) {
            Some(Ok(plan)) => Ok(Plan::clone(plan)),
            Some(Err(error)) => Err(error.clone()),
            None => Err(PlanError::UnknownTask {
                task: task.to_owned(),
                suggestion: nearest(task, self.plans.keys().map(TaskName::as_str)).map(str::to_owned),
            }),
        }
    }

    /// Checks a job's input against the task's schema and fills in defaults.
    ///
    /// # Errors
    /// Every problem at once.
    pub fn check_input(
        &self,
        plan: &Plan,
        input: &Map<String, Value>,
    ) -> Result<Map<String, Value>, Vec<InputProblem>> {
        crate::input::check(&plan.input, input)
    }
}
