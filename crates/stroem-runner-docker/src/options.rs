//! What the runner needs to know of its engine and of the rules of its worker.

use std::{path::PathBuf, time::Duration};

use stroem_core::{ByteSize, CpuQuantity, PullPolicy};

use crate::Allowed;

/// Settings of a runner.
#[derive(Debug, Clone)]
pub struct DockerRunnerOptions {
    /// The engine's address, `unix:///path` or `tcp://host:port`; the local socket when left out.
    pub host: Option<String>,
    /// For an engine on TCP that speaks TLS.
    pub tls: Option<TlsFiles>,
    /// The image of script steps.
    pub runner_image: String,
    /// When images are pulled.
    pub pull: PullPolicy,
    /// How long one pull may take.
    pub pull_timeout: Duration,
    /// Docker's `config.json` with the credentials of registries.
    pub registry_config: Option<PathBuf>,
    /// What no step gets more of.
    pub ceilings: Ceilings,
    /// What every container is kept from.
    pub hardening: Hardening,
    /// What every container gets of the engine's host, as `/from:/to[:ro]`.
    pub mounts: Vec<String>,
    /// What a step may ask for besides.
    pub allowed: Allowed,
    /// Where it is written down which images came because of this worker; without it a worker that starts again does not
    /// know them, and never removes them.
    pub images_file: Option<PathBuf>,
    /// Names the worker for ever; containers of an earlier process of it are removed at the start.
    pub owner: String,
}

/// The files of a TLS client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Who may have signed the engine's certificate.
    pub ca: PathBuf,
    /// The client's certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// What no step gets more of; what a step does not say itself, it gets too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ceilings {
    /// Processor time.
    pub cpu: Option<CpuQuantity>,
    /// Memory.
    pub memory: Option<ByteSize>,
    /// Processes and threads.
    pub pids: Option<u32>,
}

/// What is taken from every container. Without any of it a container has the image's user, a writable root and the
/// engine's usual capabilities; that it gains no privileges is always so.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hardening {
    /// Goes before the image's user.
    pub user: Option<String>,
    /// The root is read-only; `/workspace`, `/tmp` and the runner's own directory are not.
    pub read_only_root: bool,
    /// Capabilities that are dropped; `ALL` for all of them.
    pub cap_drop: Vec<String>,
    /// The network's name, or `none`.
    pub network: Option<String>,
}

/// Options that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// An address.
    #[error("the Docker engine's address `{address}` cannot be used: {reason}")]
    Address {
        /// As it was written.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of the TLS client.
    #[error("{path}: {reason}")]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}
