//! `stroem run`

use std::path::PathBuf;

use stroem_runner_local::keeper::Keeper;

use crate::{
    compose::{Embedded, EmbeddedOptions, WORKSPACE, logging},
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
    #[arg(long, default_value_t = 4, value_name = "N")]
    max_concurrent: u32,
}

impl Run {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        let input = self.input.read()?;
        logging::start("warn");
        let cannot = |error: std::io::Error| Failure::environment(format!("cannot prepare the run: {error}"));
        let data = tempfile::Builder::new().prefix("stroem-run-").tempdir().map_err(cannot)?;
        let keeper = Keeper::spawn().map_err(cannot)?;
        let options = EmbeddedOptions {
            folder: self.path,
            data_dir: data.path().to_owned(),
            listen: None,
            max_concurrent: self.max_concurrent,
            keeper: keeper.clone(),
        };
        let exit = runtime::serving(async {
            let embedded = Embedded::start(options).await?;
            let result = async {
                let job = embedded.client.execute(WORKSPACE, &self.task, input).await?.job_id;
                follow::interruptible(&embedded.client, job, Follow::Log, terminal).await
            }
            .await;
            embedded.stop().await;
            result
        });
        keeper.stop();
        exit
    }
}
