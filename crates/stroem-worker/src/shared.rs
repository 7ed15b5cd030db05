//! What all parts of a running worker use.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use stroem_api::ControlPlane;
use stroem_core::{LeaseKey, RunnerKind};
use tokio::sync::{Notify, Semaphore};
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
    /// Platforms whose running attempts can be taken over now.
    pub(crate) scopes: Mutex<Vec<String>>,
    /// Something may be left on a platform.
    pub(crate) sweep: Notify,
    /// Every task of the worker.
    pub(crate) tasks: TaskTracker,
    /// No new steps.
    pub(crate) draining: CancellationToken,
    /// Polls and heartbeats end.
    pub(crate) leaving: CancellationToken,
}

impl Shared {
    /// Platforms whose running attempts can be taken over now.
    pub(crate) fn scopes(&self) -> Vec<String> {
        self.scopes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// An attempt's own directory.
    pub(crate) fn scratch(&self, lease: LeaseKey, kind: RunnerKind) -> PathBuf {
        self.dirs.scratch(lease, kind)
    }
}
