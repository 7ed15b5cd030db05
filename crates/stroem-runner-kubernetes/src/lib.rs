//! Runs steps as pods of a Kubernetes cluster.
//!
//! ```text
//! request ──> Blueprint (pod, Secret) ──create──> cluster
//!                                                   │ one watch of pods, one of events, for all attempts
//!             Attempt <──────── View ───────────────┤
//!                │ state, decide                    │ log of the step's container
//!                └─ Reader <── Control <── Entries <┘
//! ```
//!
//! What is decided ([`Blueprint`](blueprint), states, decisions, the log's format) is pure; `cluster`, `watch`, `reader`
//! and `attempt` do the asking. It must not know the server beyond a URL to download from, nor masking, retries, leases.

mod adopt;
mod attempt;
mod blueprint;
mod cluster;
mod control;
mod decide;
mod entries;
mod guard;
mod image;
mod manifest;
mod names;
mod options;
mod pending;
mod quote;
mod reader;
mod requests;
mod runner;
mod script;
mod status;
#[cfg(test)]
mod testing;
mod watch;

pub use guard::Allowed;
pub use options::{KubernetesOptions, PodDefaults};
pub use runner::KubernetesRunner;
