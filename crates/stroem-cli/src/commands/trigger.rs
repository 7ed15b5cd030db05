//! `stroem trigger`

use serde_json::json;
use stroem_api::ApiClient;
use stroem_core::JobId;

use crate::{
    exit::Exit,
    failure::Failure,
    follow::{self, Follow},
    input::JobInput,
    remote::Remote,
    runtime,
    terminal::{Format, Terminal},
};

/// Options of `stroem trigger`.
#[derive(Debug, clap::Args)]
pub(crate) struct Trigger {
    /// The task
    task: String,
    /// Its workspace
    #[arg(long, short, default_value = "default")]
    workspace: String,
    #[command(flatten)]
    input: JobInput,
    #[command(flatten)]
    watch: Watch,
    #[command(flatten)]
    remote: Remote,
}

/// What to do while the job runs.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Watch {
    /// Wait until the job ended and exit with its code
    #[arg(long)]
    wait: bool,
    /// Print its log meanwhile; implies --wait
    #[arg(long)]
    follow: bool,
}

/// A job that was just started.
pub(crate) struct Started<'a> {
    pub(crate) client: &'a ApiClient,
    pub(crate) job: JobId,
    pub(crate) watch: Watch,
}

impl Started<'_> {
    /// Prints its id, or watches it to its end.
    pub(crate) async fn show(self, terminal: &Terminal) -> Result<Exit, Failure> {
        let Self { client, job, watch } = self;
        if watch.follow || watch.wait {
            let show = if watch.follow { Follow::Log } else { Follow::Quietly };
            return follow::to_the_end(client, job, show, terminal).await;
        }
        match terminal.format() {
            Format::Json => terminal.json(&json!({ "job_id": job }))?,
            Format::Text => terminal.result(&format!("{job}\n"))?,
        }
        Ok(Exit::Done)
    }
}

impl Trigger {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        let (client, input) = (self.remote.client()?, self.input.read()?);
        runtime::asking(async {
            let job = client.execute(&self.workspace, &self.task, input).await?.job_id;
            Started { client: &client, job, watch: self.watch }.show(terminal).await
        })
    }
}
