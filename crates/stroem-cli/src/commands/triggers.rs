//! `stroem triggers`

use std::path::PathBuf;

use serde_json::{Value, json};
use stroem_workflow::{TriggerEntry, Workspace};

use crate::{
    compose::files,
    exit::Exit,
    failure::Failure,
    render,
    terminal::{Format, Terminal},
};

/// Options of `stroem triggers`.
#[derive(Debug, clap::Args)]
pub(crate) struct Triggers {
    /// The folder with `.workflows`
    #[arg(long, default_value = ".")]
    path: PathBuf,
}

/// What nobody should have to find out by waiting.
const REMARK: &str = "triggers are checked, but they start no jobs in this version\n";

impl Triggers {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        let workspace = stroem_workflow::load(&files::workflow_files(&self.path)?);
        match terminal.format() {
            Format::Json => terminal.json(&items(&workspace))?,
            Format::Text => terminal.result(&text(&workspace))?,
        }
        if !workspace.triggers.is_empty() {
            terminal.note(REMARK);
        }
        Ok(Exit::Done)
    }
}

fn items(workspace: &Workspace) -> Vec<Value> {
    let item = |trigger: &TriggerEntry| {
        let mut item = trigger.json.clone();
        if let Value::Object(map) = &mut item {
            map.insert("file".to_owned(), json!(trigger.file));
            map.insert("healthy".to_owned(), json!(trigger.healthy));
            map.insert("runs".to_owned(), json!(false));
        }
        item
    };
    workspace.triggers.values().map(item).collect()
}

fn text(workspace: &Workspace) -> String {
    let row = |(name, trigger): (&String, &TriggerEntry)| {
        let word = |key: &str| trigger.json[key].as_str().unwrap_or_default().to_owned();
        let enabled = if trigger.json["enabled"] == json!(false) { "no" } else { "yes" };
        let remark = if trigger.healthy { "" } else { "(has errors: see `stroem validate`)" };
        let file = trigger.file.clone();
        vec![
            name.clone(),
            word("type"),
            word("task"),
            word("cron"),
            enabled.to_owned(),
            file,
            remark.to_owned(),
        ]
    };
    let rows: Vec<_> = workspace.triggers.iter().map(row).collect();
    render::table(&["TRIGGER", "TYPE", "TASK", "CRON", "ENABLED", "FILE", ""], &rows)
}

#[cfg(test)]
mod tests {
    use stroem_workflow::SourceFile;

    use super::*;

    #[test]
    fn triggers_are_listed_with_what_they_start() {
        let workflow = "tasks:\n  t:\n    flow:\n      a: {type: script, script: 'true'}\ntriggers:\n  nightly: {type: scheduler, cron: '0 2 * * *', task: t, input: {n: 1}}\n  push: {type: webhook, name: push, task: t, enabled: false}\n  queue: {type: event_source, task: t, target_task: t}\n";
        let file = SourceFile { path: ".workflows/a.yaml".to_owned(), text: workflow.to_owned() };
        let workspace = stroem_workflow::load(&[file]);
        let json = serde_json::to_string_pretty(&items(&workspace)).expect("JSON");
        insta::assert_snapshot!(format!("{}\n{json}", text(&workspace)));
    }
}
