//! The program `stroem`.

use std::process::ExitCode;

fn main() -> ExitCode {
    stroem_runner_local::keeper::maybe_run_as_keeper();
    stroem_cli::run(std::env::args_os()).into()
}
