//! Runs steps as containers on a Docker engine, near or remote: everything travels through the engine's API.
//!
//! Each attempt is one container that is never removed by the engine itself and carries the attempt's key as labels. Its
//! output is followed through the logs API with a count of what arrived, so that neither a fast end nor a broken
//! connection loses or repeats anything. Must not know how output is framed or masked, nor where steps come from.

mod address;
mod adopt;
mod attempt;
mod container;
mod contents;
mod credentials;
mod engine;
mod guard;
mod images;
mod kept;
mod labels;
mod logs;
mod options;
mod position;
mod reference;
mod report;
mod rules;
mod runner;
mod tls;
mod upload;
mod users;
mod wrapper;

pub use options::{Ceilings, DockerRunnerOptions, Hardening, OptionsError, TlsFiles};
pub use rules::Allowed;
pub use runner::DockerRunner;
pub use stroem_core::PullPolicy;
