//! `stroem explain`

use stroem_core::JobId;

use crate::{
    exit::Exit,
    failure::Failure,
    remote::Remote,
    render, runtime,
    terminal::{Format, Terminal},
};

/// Options of `stroem explain`.
#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// The job
    job: JobId,
    /// The step
    step: String,
    #[command(flatten)]
    remote: Remote,
}

impl Explain {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        let client = self.remote.client()?;
        let explanation = runtime::asking(async { Ok(client.explain(self.job, &self.step).await?) })?;
        match terminal.format() {
            Format::Json => terminal.json(&explanation)?,
            Format::Text => terminal.result(&render::explanation(&explanation))?,
        }
        Ok(Exit::Done)
    }
}
