//! One file per command: its options and what it does. The list below is the registration.

mod actions;
mod cancel;
mod completion;
mod config;
mod db;
mod dev;
mod explain;
mod inspect;
mod jobs;
mod logs;
mod openapi;
mod reference;
mod rerun;
mod run;
mod schema;
mod server;
mod status;
mod tasks;
mod trigger;
mod triggers;
mod validate;
mod worker;
mod workers;
mod workspaces;

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
    /// List the tasks of a folder
    Tasks(tasks::Tasks),
    /// List the actions that a folder's tasks can refer to
    Actions(actions::Actions),
    /// List the triggers of a folder
    Triggers(triggers::Triggers),
    /// Show the resolved plan of a folder's task: order, runners, required tags
    Inspect(inspect::Inspect),
    /// Print the JSON Schema of workflow files
    Schema(schema::Schema),
    /// Run a server
    Server(server::Server),
    /// Run a worker
    Worker(worker::Worker),
    /// Start a job on a server
    Trigger(trigger::Trigger),
    /// Run a job's task again on a server
    Rerun(rerun::Rerun),
    /// List jobs, newest first
    Jobs(jobs::Jobs),
    /// Show a job and its steps
    Status(status::Status),
    /// Print the log of a job or of a step
    Logs(logs::Logs),
    /// Cancel a job
    Cancel(cancel::Cancel),
    /// List workers with their tags and load, or drain and resume one
    Workers(workers::Workers),
    /// List a server's workspaces
    Workspaces(workspaces::Workspaces),
    /// Say why a step is where it is, or what the code of a problem means
    Explain(explain::Explain),
    /// Move an installation's database
    Db(db::Db),
    /// Check a configuration file
    Config(config::Config),
    /// Print a completion script for a shell
    Completion(completion::Completion),
    /// Print the OpenAPI document of the server
    #[command(hide = true)]
    Openapi(openapi::Openapi),
    /// Print a reference page
    #[command(hide = true)]
    Reference(reference::Reference),
}
