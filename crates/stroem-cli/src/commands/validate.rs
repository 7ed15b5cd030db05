//! `stroem validate`

use std::path::PathBuf;

use serde_json::json;
use stroem_workflow::{Severity, diagnostic};

use crate::{
    compose::files,
    exit::Exit,
    failure::Failure,
    terminal::{Format, Terminal},
};

/// Options of `stroem validate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Validate {
    /// The folder with `.workflows`
    #[arg(default_value = ".")]
    path: PathBuf,
}

impl Validate {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        let files = files::workflow_files(&self.path)?;
        let workspace = stroem_workflow::load(&files);
        let errors =
            workspace.diagnostics.iter().filter(|problem| problem.severity == Severity::Error).count();
        match terminal.format() {
            Format::Json => terminal.json(&json!({
                "files": files.len(),
                "tasks": workspace.tasks.len(),
                "errors": errors,
                "diagnostics": workspace.diagnostics,
            }))?,
            Format::Text => {
                for problem in &workspace.diagnostics {
                    terminal.result(&format!("{}\n", diagnostic::render(problem, terminal.color_out())))?;
                }
                let warnings = workspace.diagnostics.len() - errors;
                let (files, tasks) = (files.len(), workspace.tasks.len());
                terminal.result(&format!(
                    "{files} file(s), {tasks} task(s): {errors} error(s), {warnings} warning(s)\n"
                ))?;
            }
        }
        Ok(if errors == 0 { Exit::Done } else { Exit::Failed })
    }
}
