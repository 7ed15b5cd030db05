//! `stroem cancel`

use stroem_core::JobId;

use crate::{
    exit::Exit,
    failure::Failure,
    remote::Remote,
    runtime,
    terminal::{Format, Terminal},
};

/// Options of `stroem cancel`.
#[derive(Debug, clap::Args)]
pub(crate) struct Cancel {
    /// The job
    job: JobId,
    #[command(flatten)]
    remote: Remote,
}

impl Cancel {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        let client = self.remote.client()?;
        let answer = runtime::asking(async { Ok(client.cancel(self.job).await?) })?;
        match terminal.format() {
            Format::Json => terminal.json(&answer)?,
            Format::Text => terminal.result(&format!("{}\n", answer.status))?,
        }
        Ok(Exit::Done)
    }
}
