//! One file per command: its options and what it does. The list below is the registration.

mod cancel;
mod dev;
mod explain;
mod jobs;
mod logs;
mod openapi;
mod reference;
mod run;
mod schema;
mod server;
mod status;
mod trigger;
mod validate;
mod worker;
mod workers;

use crate::{exit::Exit, failure::Failure, terminal::Terminal};

macro_rules! commands {
    ($($(#[$attribute:meta])* $variant:ident($options:ty),)*) => {
        /// What to do.
        #[derive(Debug, clap::Subcommand)]
        pub(crate) enum Command {
            $($(#[$attribute])* $variant($options),)*
        }

        impl Command {
            /// Does it.
            pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
                match self {
                    $(Self::$variant(options) => options.run(terminal),)*
                }
            }
        }
    };
}

commands! {
    /// Server and worker in one process, on a folder of workflows
    Dev(dev::Dev),
    /// Run a task of a folder here and now, without a server
    Run(run::Run),
    /// Check the workflow files of a folder
    Validate(validate::Validate),
    /// Print the JSON Schema of workflow files
    Schema(schema::Schema),
    /// Run a server
    Server(server::Server),
    /// Run a worker
    Worker(worker::Worker),
    /// Start a job on a server
    Trigger(trigger::Trigger),
    /// List jobs, newest first
    Jobs(jobs::Jobs),
    /// Show a job and its steps
    Status(status::Status),
    /// Print the log of a job or of a step
    Logs(logs::Logs),
    /// Cancel a job
    Cancel(cancel::Cancel),
    /// List workers with their tags and load
    Workers(workers::Workers),
    /// Say why a step is where it is, or what the code of a problem means
    Explain(explain::Explain),
    /// Print the OpenAPI document of the server
    #[command(hide = true)]
    Openapi(openapi::Openapi),
    /// Print a reference page
    #[command(hide = true)]
    Reference(reference::Reference),
}
