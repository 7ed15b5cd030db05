//! `stroem config check`

use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::json;
use stroem_server::ServerConfig;
use stroem_worker::WorkerConfig;

use crate::{
    compose::{config, process},
    exit::Exit,
    failure::Failure,
    terminal::{Format, Terminal},
};

/// Options of `stroem config`.
#[derive(Debug, clap::Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Read a configuration as the program would, with the `STROEM__...` variables over it
    Check {
        /// Whose configuration
        #[arg(value_enum)]
        whose: Whose,
        /// The file [default: `server-config.yaml` or `worker-config.yaml`]
        #[arg(env = "STROEM_CONFIG", hide_env_values = true)]
        file: Option<PathBuf>,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Whose {
    Server,
    Worker,
}

impl Config {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        let What::Check { whose, file } = self.what;
        let (name, default) = match whose {
            Whose::Server => ("server", "server-config.yaml"),
            Whose::Worker => ("worker", "worker-config.yaml"),
        };
        let file = file.unwrap_or_else(|| PathBuf::from(default));
        match whose {
            Whose::Server => {
                config::read(&file, ServerConfig::load)?;
            }
            Whose::Worker => {
                config::read(&file, |source| WorkerConfig::load(source, &process::host_name()))?;
            }
        }
        match terminal.format() {
            Format::Json => terminal.json(&json!({ "file": file, "kind": name, "problems": [] }))?,
            Format::Text => {
                terminal.result(&format!("{} is a valid {name} configuration\n", file.display()))?;
            }
        }
        Ok(Exit::Done)
    }
}
