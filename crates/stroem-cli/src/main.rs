//! The program `stroem`.

use std::process::ExitCode;

fn main() -> ExitCode {
    stroem_cli::run(std::env::args_os()).into()
}
