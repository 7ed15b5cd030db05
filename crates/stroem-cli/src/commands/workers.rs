//! `stroem workers`

use crate::{
    exit::Exit,
    failure::Failure,
    remote::Remote,
    render, runtime,
    terminal::{Format, Terminal},
};

/// Options of `stroem workers`.
#[derive(Debug, clap::Args)]
pub(crate) struct Workers {
    #[command(flatten)]
    remote: Remote,
}

impl Workers {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        let client = self.remote.client()?;
        let workers = runtime::asking(async { Ok(client.workers().await?) })?;
        match terminal.format() {
            Format::Json => terminal.json(&workers)?,
            Format::Text => terminal.result(&render::worker_table(&workers))?,
        }
        Ok(Exit::Done)
    }
}
