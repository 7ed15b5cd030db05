//! What all parts of a running worker use.

use std::{path::PathBuf, sync::Arc};

use stroem_api::ControlPlane;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    cache::Cache, leases::Leases, options::Options, outbox::Outbox, session::Session, state::StateDir,
};

/// The worker's parts.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) control: ControlPlane,
    pub(crate) session: Arc<Session>,
    pub(crate) leases: Arc<Leases>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) cache: Cache,
    pub(crate) dirs: Arc<StateDir>,
    /// Steps that run at once.
    pub(crate) slots: Semaphore,
    /// Every task of the worker.
    pub(crate) tasks: TaskTracker,
    /// No new steps.
    pub(crate) draining: CancellationToken,
    /// Polls and heartbeats end.
    pub(crate) leaving: CancellationToken,
}

impl Shared {
    /// An attempt's own directory.
    pub(crate) fn scratch(&self, lease: stroem_core::LeaseKey) -> PathBuf {
        self.dirs.scratch(lease)
    }
}
