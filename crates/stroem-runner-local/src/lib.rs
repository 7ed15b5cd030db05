//! Runs steps as processes on the worker's host (Linux).
//!
//! Each attempt has its own session, its own memory cgroup where the host lets us make one, its own writable copy of
//! the workspace and a clean environment. A keeper process outlives the worker just long enough to kill what the worker
//! started. Must not know how output is framed or masked, nor where steps come from.

mod cgroup;
mod copy;
pub mod keeper;
mod output;
mod prepare;
mod process;
mod runner;
mod spawner;
mod toolchain;

pub use process::become_subreaper;
pub use runner::{LocalRunner, LocalRunnerOptions};
