//! What a worker needs to run, independent of where it was written.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use stroem_core::{ByteSize, RunnerKind, Secret, TagSet, WorkerName};
use stroem_runner::Runner;

use crate::{
    config::{DiskSection, LimitsSection, WorkerConfig},
    disk::{Space, SystemSpace},
};

const HEALTH_INTERVAL: Duration = Duration::from_secs(10);

/// A worker's settings.
#[derive(Clone)]
pub struct Options {
    /// Its name.
    pub name: WorkerName,
    /// Registers it.
    pub token: Secret,
    /// Its tags, those included that it cannot serve now.
    pub tags: TagSet,
    /// Tags of runners that the program does not have, with the reason.
    pub missing: Vec<(RunnerKind, String)>,
    /// Takes only steps that ask for all of its custom tags.
    pub exclusive: bool,
    /// How many steps run at once.
    pub capacity: u32,
    /// The longest pause between polls that the server does not hold open.
    pub poll_interval: Duration,
    /// Where revisions are unpacked.
    pub cache_dir: PathBuf,
    /// Unused revisions above this are removed.
    pub cache_size: ByteSize,
    /// Spool and files of running steps.
    pub state_dir: PathBuf,
    /// Variables that every step gets.
    pub passed_env: BTreeMap<String, String>,
    /// How long running steps may go on once the worker drains.
    pub drain_timeout: Duration,
    /// Whether containers and pods outlive this worker, for another one or the next process to take over. Without it
    /// everything ends with the worker.
    pub hands_over: bool,
    /// Limits.
    pub limits: LimitsSection,
    /// Marks of the disks.
    pub disk: DiskSection,
    /// Tells how full they are.
    pub space: Arc<dyn Space>,
    /// How often runners and disks are looked at.
    pub health_interval: Duration,
    /// What runs steps.
    pub runners: Vec<Arc<dyn Runner>>,
}

impl Options {
    /// From a configuration and the runners that the program has.
    pub fn new(config: &WorkerConfig, runners: Vec<Arc<dyn Runner>>) -> Self {
        let kinds = [RunnerKind::Local, RunnerKind::Docker, RunnerKind::Pod].into_iter();
        let missing = kinds
            .filter(|kind| !runners.iter().any(|runner| runner.kind() == *kind))
            .map(|kind| (kind, config.missing_runner(kind)));
        Self {
            name: config.worker_name.clone(),
            token: config.worker_token.clone(),
            tags: config.tags.clone(),
            missing: missing.collect(),
            exclusive: config.exclusive,
            capacity: config.max_concurrent,
            poll_interval: Duration::from_secs(config.poll_interval_secs),
            cache_dir: config.workspace_cache_dir.clone(),
            cache_size: config.limits.cache_size,
            state_dir: config.state_dir.clone(),
            passed_env: config.passed_env.clone(),
            drain_timeout: Duration::from_secs(config.drain_timeout_secs),
            hands_over: true,
            limits: config.limits,
            disk: config.disk,
            space: Arc::new(SystemSpace),
            health_interval: HEALTH_INTERVAL,
            runners,
        }
    }

    /// The runner of a kind.
    pub(crate) fn runner(&self, kind: RunnerKind) -> Option<&Arc<dyn Runner>> {
        self.runners.iter().find(|runner| runner.kind() == kind)
    }
}
