//! `stroem trigger`

use serde_json::json;

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
    /// Wait until the job ended and exit with its code
    #[arg(long)]
    wait: bool,
    /// Print its log meanwhile; implies --wait
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    remote: Remote,
}

impl Trigger {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        let (client, input) = (self.remote.client()?, self.input.read()?);
        runtime::asking(async {
            let job = client.execute(&self.workspace, &self.task, input).await?.job_id;
            if self.follow || self.wait {
                let show = if self.follow { Follow::Log } else { Follow::Quietly };
                return follow::to_the_end(&client, job, show, terminal).await;
            }
            match terminal.format() {
                Format::Json => terminal.json(&json!({ "job_id": job }))?,
                Format::Text => terminal.result(&format!("{job}\n"))?,
            }
            Ok(Exit::Done)
        })
    }
}
