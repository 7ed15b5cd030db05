//! The command line `stroem`, and the composition root: nothing else names concrete stores and runners besides the
//! two service binaries.
//!
//! A command is one file in `commands` and one line in its list. Commands know the public API's client and a
//! [`terminal::Terminal`]; only `compose` knows server, worker, store and runners.

mod args;
mod clock;
mod commands;
mod compose;
mod exit;
mod failure;
mod follow;
mod input;
mod reference;
mod remote;
mod render;
mod runtime;
mod terminal;
#[cfg(test)]
mod testing;

use std::ffi::OsString;

use clap::Parser;

pub use exit::Exit;

use crate::{
    args::Cli,
    terminal::{Format, Terminal},
};

/// Runs the program with these arguments, the program's name first. Errors are written, not returned.
pub fn run<I, A>(arguments: I) -> Exit
where
    I: IntoIterator<Item = A>,
    A: Into<OsString> + Clone,
{
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are results, the rest are errors; clap chooses the output.
            let _nobody_listens = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    let terminal = Terminal::of_process(cli.output);
    match cli.command.run(&terminal) {
        Ok(exit) => exit,
        Err(failure) => {
            if !failure.is_closed_pipe() {
                terminal.note(&match terminal.format() {
                    Format::Text => failure.text(terminal.color_err()),
                    Format::Json => format!("{}\n", failure.json()),
                });
            }
            failure.exit()
        }
    }
}
