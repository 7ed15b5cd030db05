//! The worker: registers, claims steps, prepares and runs them, reports, drains.
//!
//! It speaks to the server through [`stroem_api::ControlPlane`] and to the host through [`stroem_runner::Runner`]; it
//! must not know stores, plans or how a runner does its work. Concrete runners are named in `runners.rs` only.
//!
//! ```text
//! poll ──claims──> attempt ──bytes──> mask, frame, pack ──chunks──> outbox ──calls──> delivery
//!   ^                 │ end                                           ^ journal, spool
//!   └── free slots ── leases <──────────── acknowledged ─────────────┘
//! ```

mod attempt;
mod backoff;
mod cache;
mod clock;
mod config;
mod delivery;
mod disk;
mod error;
mod health;
mod heartbeat;
mod journal;
mod leases;
mod options;
mod outbox;
mod poll;
mod runners;
mod session;
mod shared;
mod state;
mod sweep;
mod worker;

pub use config::{
    AllowSection, CeilingsSection, DiskSection, DockerSection, KubernetesSection, LimitsSection,
    ResourcesSection, SCHEMA, TlsSection, TolerationSection, WorkerConfig,
};
pub use disk::{Space, SystemSpace, Usage};
pub use error::WorkerError;
pub use options::Options;
pub use runners::{SectionError, runners};
pub use worker::{Handle, Worker};
