//! `stroem rerun`

use stroem_core::JobId;

use super::trigger::{Started, Watch};
use crate::{exit::Exit, failure::Failure, input::JobInput, remote::Remote, runtime, terminal::Terminal};

/// Options of `stroem rerun`.
#[derive(Debug, clap::Args)]
pub(crate) struct Rerun {
    /// The job to repeat
    job: JobId,
    #[command(flatten)]
    input: JobInput,
    #[command(flatten)]
    watch: Watch,
    #[command(flatten)]
    remote: Remote,
}

impl Rerun {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        let client = self.remote.client()?;
        let input = if self.input.is_given() { Some(self.input.read()?) } else { None };
        runtime::asking(async {
            let job = client.rerun(self.job, input).await?.job_id;
            Started { client: &client, job, watch: self.watch }.show(terminal).await
        })
    }
}
