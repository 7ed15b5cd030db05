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
    /// The server's configuration
    ServerConfig,
    /// The worker's configuration
    WorkerConfig,
}

impl Reference {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        let text = match self.page {
            Page::Workflow => stroem_workflow::schema::reference_markdown(),
            Page::Errors => stroem_workflow::codes::reference_markdown(),
            Page::Cli => reference::cli(),
            Page::ServerConfig => reference::configuration("server", &stroem_server::SCHEMA),
            Page::WorkerConfig => reference::configuration("worker", &stroem_worker::SCHEMA),
        };
        terminal.result(&text)?;
        Ok(Exit::Done)
    }
}
