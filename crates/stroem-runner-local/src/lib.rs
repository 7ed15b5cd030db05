//! Runs steps as processes on the worker's host (Linux).
//!
//! Each attempt has a session and a control group of its own where the host lets us make one, its own writable copy of the
//! workspace and a clean environment. A keeper process outlives the worker just long enough to kill what the worker
//! started. Must not know how output is framed or masked, nor where steps come from.

mod attempt;
mod cgroup;
mod children;
mod clone;
mod command;
mod copy;
#[cfg(test)]
mod fallbacks;
pub mod keeper;
mod kill;
mod launch;
mod output;
mod prepare;
mod procfs;
mod runner;
mod spawner;
mod toolchain;
mod tree;

pub use children::become_subreaper;
pub use runner::{LocalRunner, LocalRunnerOptions};
