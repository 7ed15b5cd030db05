//! `stroem logs`

use stroem_core::JobId;

use crate::{exit::Exit, failure::Failure, follow, remote::Remote, runtime, terminal::Terminal};

/// Options of `stroem logs`.
#[derive(Debug, clap::Args)]
pub(crate) struct Logs {
    /// The job
    job: JobId,
    /// Only this step's lines
    step: Option<String>,
    /// Go on until the job ended
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    remote: Remote,
}

impl Logs {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        let client = self.remote.client()?;
        runtime::asking(async {
            let step = self.step.as_deref();
            if self.follow {
                follow::log(&client, self.job, step, terminal).await?;
            } else {
                follow::pages(&client, self.job, step, terminal).await?;
            }
            Ok(Exit::Done)
        })
    }
}
