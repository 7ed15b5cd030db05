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
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Workers {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Let a worker take no more steps; what it runs goes on
    Drain(One),
    /// Let a worker take steps again
    Resume(One),
}

#[derive(Debug, clap::Args)]
struct One {
    /// Its name or id
    worker: String,
    #[command(flatten)]
    remote: Remote,
}

impl One {
    fn drain(self, draining: bool, terminal: &Terminal) -> Result<Exit, Failure> {
        let client = self.remote.client()?;
        let worker = runtime::asking(async { Ok(client.drain(&self.worker, draining).await?) })?;
        match terminal.format() {
            Format::Json => terminal.json(&worker)?,
            Format::Text => terminal.result(&render::worker_table(std::slice::from_ref(&worker)))?,
        }
        Ok(Exit::Done)
    }
}

impl Workers {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        match self.action {
            Some(Action::Drain(one)) => return one.drain(true, terminal),
            Some(Action::Resume(one)) => return one.drain(false, terminal),
            None => {}
        }
        let client = self.remote.client()?;
        let workers = runtime::asking(async { Ok(client.workers().await?) })?;
        match terminal.format() {
            Format::Json => terminal.json(&workers)?,
            Format::Text => terminal.result(&render::worker_table(&workers))?,
        }
        Ok(Exit::Done)
    }
}
