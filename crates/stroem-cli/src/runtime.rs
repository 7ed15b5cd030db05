//! The asynchronous runtimes of the program: a small one for what only asks a server, one with two threads for what
//! is a server or a worker.

use std::{future::Future, io};

use crate::failure::Failure;

/// Runs what only asks a server.
pub(crate) fn asking<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    build(&mut tokio::runtime::Builder::new_current_thread())?.block_on(work)
}

/// Runs what is a server or a worker.
pub(crate) fn serving<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    build(tokio::runtime::Builder::new_multi_thread().worker_threads(2).max_blocking_threads(32))?
        .block_on(work)
}

fn build(builder: &mut tokio::runtime::Builder) -> Result<tokio::runtime::Runtime, Failure> {
    let cannot = |error: io::Error| Failure::environment(format!("cannot start the runtime: {error}"));
    builder.enable_all().build().map_err(cannot)
}
