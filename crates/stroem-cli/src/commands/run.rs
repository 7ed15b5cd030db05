//! `stroem run`

use std::{fs::Permissions, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

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

/// Options of `stroem run`.
#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    /// The task
    task: String,
    /// The folder with `.workflows`
    #[arg(long, default_value = ".")]
    path: PathBuf,
    #[command(flatten)]
    input: JobInput,
    /// How many steps run at once
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    max_concurrent: u32,
}

/// No other worker will come, but an engine that this one needs may take a moment.
const UNMATCHED: Duration = Duration::from_secs(2);

impl Run {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        let input = self.input.read()?;
        logging::start("warn");
        let cannot = |error: std::io::Error| Failure::environment(format!("cannot prepare the run: {error}"));
        let keeper = Keeper::spawn().map_err(cannot)?;
        let exit = runtime::serving(async {
            // Before anything is on disk that an early Ctrl-C would leave there.
            let mut signals = Signals::listen()?;
            // Scripts with secrets in them lie below it.
            let private = Permissions::from_mode(0o700);
            let data = tempfile::Builder::new()
                .prefix("stroem-run-")
                .permissions(private)
                .tempdir()
                .map_err(cannot)?;
            let options = EmbeddedOptions {
                folder: self.path,
                data_dir: data.path().to_owned(),
                listen: None,
                max_concurrent: self.max_concurrent,
                unmatched_step_timeout: Some(UNMATCHED),
                keeper: keeper.clone(),
            };
            let embedded = Embedded::start(options).await?;
            let result = async {
                let job = embedded.client.execute(WORKSPACE, &self.task, input).await?.job_id;
                follow::interruptible(&embedded.client, job, Follow::Log, terminal, &mut signals).await
            }
            .await;
            embedded.stop().await;
            result
        });
        keeper.stop();
        exit
    }
}
