//! `stroem inspect`

use std::{fmt::Write as _, path::PathBuf};

use stroem_workflow::{ActionType, Plan, PlanError, PlanStep, diagnostic};

use crate::{
    compose::files,
    exit::Exit,
    failure::Failure,
    terminal::{Format, Terminal},
};

/// Options of `stroem inspect`.
#[derive(Debug, clap::Args)]
pub(crate) struct Inspect {
    /// The task
    task: String,
    /// The folder with `.workflows`
    #[arg(long, default_value = ".")]
    path: PathBuf,
}

impl Inspect {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        let workspace = stroem_workflow::load(&files::workflow_files(&self.path)?);
        let plan = match workspace.plan(&self.task) {
            Ok(plan) => plan,
            Err(PlanError::Broken { diagnostics, .. }) => {
                for problem in &diagnostics {
                    terminal.result(&format!("{}\n", diagnostic::render(problem, terminal.color_out())))?;
                }
                return Ok(Exit::Failed);
            }
            Err(error) => return Err(Failure::usage(error.to_string())),
        };
        match terminal.format() {
            Format::Json => terminal.json(&plan)?,
            Format::Text => terminal.result(&text(&plan))?,
        }
        Ok(Exit::Done)
    }
}

/// The resolved plan: what each step waits for, needs and runs.
fn text(plan: &Plan) -> String {
    let mut text = format!("task {}\n", plan.task);
    let mut line = |indent: usize, key: &str, value: String| {
        if !value.is_empty() {
            let _infallible = writeln!(text, "{:indent$}{key}: {value}", "");
        }
    };
    line(2, "timeout", plan.timeout.map(|limit| limit.to_string()).unwrap_or_default());
    for (name, field) in &plan.input {
        let required = if field.required { ", required" } else { "" };
        line(2, &format!("input {name}"), format!("{}{required}", field.input_type.as_str()));
    }
    for step in &plan.steps {
        line(2, "step", step.name.to_string());
        for (key, value) in facts(plan, step) {
            line(4, key, value);
        }
    }
    text
}

fn facts(plan: &Plan, step: &PlanStep) -> Vec<(&'static str, String)> {
    let names = |steps: &[u32]| {
        steps.iter().map(|index| plan.step(*index).name.to_string()).collect::<Vec<_>>().join(", ")
    };
    let script_runner = step.action.runner.filter(|_| step.action.action_type == ActionType::Script);
    let runner = script_runner.map(|runner| format!(" on {runner}")).unwrap_or_default();
    let tags: Vec<&str> = step.required_tags.iter().map(|tag| tag.as_str()).collect();
    vec![
        ("action", step.action_name.clone().unwrap_or_default()),
        ("type", format!("{}{runner}", step.action.action_type)),
        ("required tags", tags.join(", ")),
        ("depends on", names(&step.depends_on)),
        ("when", step.when.clone().unwrap_or_default()),
        ("timeout", step.timeout.map(|limit| limit.to_string()).unwrap_or_default()),
        ("continue on failure", if step.continue_on_failure { "true".to_owned() } else { String::new() }),
    ]
}
