//! `stroem reference`

use crate::{exit::Exit, failure::Failure, reference, terminal::Terminal};

/// Options of `stroem reference`.
#[derive(Debug, clap::Args)]
pub(crate) struct Reference {
    /// Which page
    #[arg(value_enum)]
    page: Page,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Page {
    /// Keys of workflow files
    Workflow,
    /// Problems of workflow files
    Errors,
    /// This program
    Cli,
}

impl Reference {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        let text = match self.page {
            Page::Workflow => stroem_workflow::schema::reference_markdown(),
            Page::Errors => stroem_workflow::codes::reference_markdown(),
            Page::Cli => reference::cli(),
        };
        terminal.result(&text)?;
        Ok(Exit::Done)
    }
}
