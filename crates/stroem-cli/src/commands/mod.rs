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

/// Defines the commands: a line with the type's name, its module, and `hidden` for what only our tools call.
macro_rules! commands {
    ($($variant:ident = $module:ident $($hidden:ident)?,)*) => {
        /// What to do.
        #[derive(Debug, clap::Subcommand)]
        pub(crate) enum Command {
            $(commands!(@doc $variant $module $($hidden)?) ,)*
        }
    };
}

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Dev(dev::Dev),
}
