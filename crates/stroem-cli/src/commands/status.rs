//! `stroem status`

use stroem_core::JobId;

use crate::{
    exit::Exit,
    failure::Failure,
    remote::Remote,
    render, runtime,
    terminal::{Format, Terminal},
};

/// Options of `stroem status`.
#[derive(Debug, clap::Args)]
pub(crate) struct Status {
    /// The job
    job: JobId,
    #[command(flatten)]
    remote: Remote,
}

impl Status {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        let client = self.remote.client()?;
        let job = runtime::asking(async { Ok(client.job(self.job).await?) })?;
        match terminal.format() {
            Format::Json => terminal.json(&job)?,
            Format::Text => terminal.result(&render::job(&job))?,
        }
        Ok(Exit::Done)
    }
}
