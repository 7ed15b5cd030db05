//! `stroem actions`

use std::path::PathBuf;

use serde_json::json;
use stroem_workflow::{ActionEntry, Workspace};

use crate::{
    compose::files,
    exit::Exit,
    failure::Failure,
    render,
    terminal::{Format, Terminal},
};

/// Options of `stroem actions`.
#[derive(Debug, clap::Args)]
pub(crate) struct Actions {
    /// The folder with `.workflows`
    #[arg(long, default_value = ".")]
    path: PathBuf,
}

impl Actions {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        let workspace = stroem_workflow::load(&files::workflow_files(&self.path)?);
        match terminal.format() {
            Format::Json => terminal.json(&items(&workspace))?,
            Format::Text => terminal.result(&text(&workspace))?,
        }
        Ok(Exit::Done)
    }
}

fn items(workspace: &Workspace) -> Vec<serde_json::Value> {
    let item = |(name, action): (&String, &ActionEntry)| {
        json!({
            "name": name,
            "type": action.action_type.map(|kind| kind.as_str()),
            "runner": action.runner.map(|runner| runner.as_str()),
            "language": action.language.map(|language| language.as_str()),
            "required_tags": action.required_tags,
            "file": action.file,
            "healthy": action.healthy,
            "description": action.description,
        })
    };
    workspace.actions.iter().map(item).collect()
}

fn text(workspace: &Workspace) -> String {
    let row = |(name, action): (&String, &ActionEntry)| {
        let tags: Vec<&str> = action.required_tags.iter().map(stroem_core::Tag::as_str).collect();
        let runs = action.runner.map(|runner| runner.as_str()).unwrap_or_default();
        let remark = if action.healthy { "" } else { "(has errors: see `stroem validate`) " };
        let description =
            action.description.as_deref().unwrap_or_default().lines().next().unwrap_or_default();
        vec![
            name.clone(),
            action.action_type.map(|kind| kind.as_str()).unwrap_or_default().to_owned(),
            runs.to_owned(),
            tags.join(","),
            action.file.clone(),
            format!("{remark}{description}"),
        ]
    };
    let rows: Vec<_> = workspace.actions.iter().map(row).collect();
    render::table(&["ACTION", "TYPE", "RUNNER", "NEEDS", "FILE", "DESCRIPTION"], &rows)
}

#[cfg(test)]
mod tests {
    use stroem_workflow::SourceFile;

    use super::*;

    #[test]
    fn actions_are_listed_with_what_they_need() {
        let good = "actions:\n  train: {type: script, script: 'true', language: python, tags: [gpu], description: Trains}\n  image: {type: docker, image: alpine}\n  ask: {type: approval, message: 'go on?'}\n";
        let bad = "actions:\n  broken: {type: script, scrpt: 'true'}\n";
        let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
        let workspace =
            stroem_workflow::load(&[file(".workflows/a.yaml", good), file(".workflows/b.yaml", bad)]);
        let json = serde_json::to_string_pretty(&items(&workspace)).expect("JSON");
        insta::assert_snapshot!(format!("{}\n{json}", text(&workspace)));
    }
}
