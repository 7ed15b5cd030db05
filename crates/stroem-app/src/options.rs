//! What the application can be told.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use stroem_core::{Secret, WorkspaceName};

use crate::{Clock, SystemClock};

/// Settings of the application, with the defaults of the documentation.
#[derive(Clone)]
pub struct AppOptions {
    /// What workers register with.
    pub worker_token: Secret,
    /// Where tarballs, sealed logs and the key file lie unless they lie elsewhere; made on first use.
    pub data_dir: PathBuf,
    /// The key for secret inputs and download tokens; made where it is missing. Servers of one store need the same.
    pub key_file: PathBuf,
    /// The folder of each workspace.
    pub workspaces: BTreeMap<WorkspaceName, PathBuf>,
    /// Folders that belong to no workspace although they lie in one, besides the data directory.
    pub exclude: Vec<PathBuf>,
    /// After how long without a sign of life a worker is judged lost.
    pub heartbeat_timeout: Duration,
    /// How often workers send one.
    pub heartbeat_interval: Duration,
    /// How long a running step whose worker is gone waits for another one to take it over.
    pub adoption_timeout: Duration,
    /// How often the recovery service looks.
    pub sweep_interval: Duration,
    /// How long a step waits for a worker with its tags.
    pub unmatched_step_timeout: Duration,
    /// How long after its last line a finished job's log is sealed.
    pub seal_after: Duration,
    /// Time and chance.
    pub clock: Arc<dyn Clock>,
}

impl AppOptions {
    /// Defaults with this token, data directory and workspaces.
    pub fn new(
        worker_token: Secret,
        data_dir: PathBuf,
        workspaces: BTreeMap<WorkspaceName, PathBuf>,
    ) -> Self {
        Self {
            worker_token,
            key_file: data_dir.join("secret.key"),
            data_dir,
            workspaces,
            exclude: Vec::new(),
            heartbeat_timeout: Duration::from_secs(30),
            heartbeat_interval: Duration::from_secs(10),
            adoption_timeout: Duration::from_secs(60),
            sweep_interval: Duration::from_secs(1),
            unmatched_step_timeout: Duration::from_secs(30),
            seal_after: Duration::from_secs(30),
            clock: Arc::new(SystemClock),
        }
    }
}
