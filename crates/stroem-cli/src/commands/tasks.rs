//! `stroem tasks`

use std::path::PathBuf;

use serde_json::json;
use stroem_workflow::TaskEntry;

use crate::{
    compose::files,
    exit::Exit,
    failure::Failure,
    render,
    terminal::{Format, Terminal},
};

/// Options of `stroem tasks`.
#[derive(Debug, clap::Args)]
pub(crate) struct Tasks {
    /// The folder with `.workflows`
    #[arg(long, default_value = ".")]
    path: PathBuf,
}

impl Tasks {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        let workspace = stroem_workflow::load(&files::workflow_files(&self.path)?);
        let tasks = || workspace.tasks.values();
        match terminal.format() {
            Format::Json => terminal.json(&tasks().map(item).collect::<Vec<_>>())?,
            Format::Text => {
                let rows = tasks().map(row).collect::<Vec<_>>();
                terminal
                    .result(&render::table(&["TASK", "FOLDER", "STEPS", "FILE", "DESCRIPTION"], &rows))?;
            }
        }
        Ok(Exit::Done)
    }
}

fn item(task: &TaskEntry) -> serde_json::Value {
    json!({
        "name": task.name,
        "folder": task.folder,
        "file": task.file,
        "description": task.description,
        "healthy": task.healthy,
        "input": task.input,
        "flow": task.flow,
        "triggers": task.triggers,
    })
}

fn row(task: &TaskEntry) -> Vec<String> {
    let steps = task.flow.as_object().map_or(0, serde_json::Map::len);
    let remark = if task.healthy { "" } else { "(has errors: see `stroem validate`) " };
    let description = task.description.as_deref().unwrap_or("").lines().next().unwrap_or("");
    vec![
        task.name.to_string(),
        task.folder.clone().unwrap_or_default(),
        steps.to_string(),
        task.file.clone(),
        format!("{remark}{description}"),
    ]
}
