//! `stroem workspaces`

use crate::{
    exit::Exit,
    failure::Failure,
    remote::Remote,
    render, runtime,
    terminal::{Format, Terminal},
};

/// Options of `stroem workspaces`.
#[derive(Debug, clap::Args)]
pub(crate) struct Workspaces {
    #[command(flatten)]
    remote: Remote,
}

impl Workspaces {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        let client = self.remote.client()?;
        let workspaces = runtime::asking(async { Ok(client.workspaces().await?) })?;
        match terminal.format() {
            Format::Json => terminal.json(&workspaces)?,
            Format::Text => terminal.result(&render::workspace_table(&workspaces))?,
        }
        Ok(Exit::Done)
    }
}
