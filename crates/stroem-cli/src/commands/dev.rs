//! `stroem dev`

use std::{net::SocketAddr, path::PathBuf};

use stroem_runner_local::keeper::Keeper;

use crate::{
    compose::{Embedded, EmbeddedOptions, WORKSPACE, logging, process::Signals},
    exit::Exit,
    failure::Failure,
    follow::{self, Follow},
    input::JobInput,
    runtime,
    terminal::Terminal,
};

/// Options of `stroem dev`.
#[derive(Debug, clap::Args)]
pub(crate) struct Dev {
    /// The folder with `.workflows`
    #[arg(long, default_value = ".")]
    path: PathBuf,
    /// Where the server listens; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where the database and caches lie
    #[arg(long, default_value = ".stroem", value_name = "DIR")]
    data_dir: PathBuf,
    /// How many steps run at once
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    max_concurrent: u32,
    /// Run this task first and show its log and result
    #[arg(long, value_name = "TASK")]
    demo: Option<String>,
    #[command(flatten)]
    input: JobInput,
    /// End with the demo's job, with its exit code
    #[arg(long, requires = "demo")]
    once: bool,
}

impl Dev {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        let input = self.input.read()?;
        logging::start("warn");
        let keeper = Keeper::spawn()
            .map_err(|error| Failure::environment(format!("the keeper process cannot start: {error}")))?;
        let options = EmbeddedOptions {
            folder: self.path,
            data_dir: self.data_dir,
            listen: Some(self.listen),
            max_concurrent: self.max_concurrent,
            unmatched_step_timeout: None,
            keeper: keeper.clone(),
        };
        let exit = runtime::serving(async {
            let mut signals = Signals::listen()?;
            let embedded = Embedded::start(options).await?;
            let address = embedded.address().map(|address| format!("http://{address}")).unwrap_or_default();
            terminal.note(&format!("Strøm serves {address}\n"));
            let mut exit = Ok(Exit::Done);
            if let Some(task) = &self.demo {
                exit = async {
                    let job = embedded.client.execute(WORKSPACE, task, input).await?.job_id;
                    follow::interruptible(&embedded.client, job, Follow::Log, terminal, &mut signals).await
                }
                .await;
                terminal.note(&format!("Strøm serves {address}\n"));
            }
            // Who interrupted the demo wants to leave.
            let leaves = self.once || matches!(exit, Err(_) | Ok(Exit::Cancelled));
            if !leaves {
                signals.next().await;
            }
            embedded.stop().await;
            exit
        });
        keeper.stop();
        exit
    }
}
