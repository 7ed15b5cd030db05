//! The command line's model: what is common to all commands.

use clap::Parser;

use crate::{commands::Command, exit, terminal::Format};

/// Workflows in YAML: jobs that start now, every line kept, failures that say their cause
#[derive(Debug, Parser)]
#[command(
    name = "stroem",
    bin_name = "stroem",
    version,
    after_help = exit::help(),
    after_long_help = exit::help(),
    max_term_width = 100,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    /// How results are written to the standard output
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Format,

    #[command(subcommand)]
    pub(crate) command: Command,
}
