//! The store's handle: opens the files, starts the threads, joins them at the end.

use std::{
    num::NonZeroUsize,
    path::Path,
    sync::{Arc, Mutex},
};

use lru::LruCache;
use stroem_store::StoreError;
use stroem_workflow::{Plan, PlanHash};

use crate::{
    connection,
    counters::{Counters, Statistics},
    data_dir::DataDir,
    migrations,
    reader::Readers,
    writer::Writer,
};

/// Threads that read jobs.
const MAIN_READERS: usize = 2;
/// Memory for pages of `stroem.db` in its writer.
const MAIN_WRITER_CACHE_KIB: u32 = 4_096;
/// Memory for pages in each other connection.
const CACHE_KIB: u32 = 1_024;
/// Plans that stay in memory.
const CACHED_PLANS: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Everything, also a loss of power.
    Full,
    /// The end of this process, however it ends, and not more: for a run whose store is thrown away afterwards.
    UntilPowerLoss,
}

/// The store. Dropping it finishes the writes that were begun and joins its threads.
pub struct SqliteStore {
    // Dropped in this order: a file's last connection, its writer's, tidies up; the lock ends last.
    pub(crate) main_readers: Readers,
    pub(crate) log_readers: Readers,
    pub(crate) main: Writer,
    pub(crate) logs: Writer,
    pub(crate) plans: Arc<Mutex<LruCache<PlanHash, Arc<Plan>>>>,
    pub(crate) counters: Arc<Counters>,
    _dir: DataDir,
}

impl SqliteStore {
    /// Opens the store in a directory, which is made when it is missing, and brings its files to this build's version.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the directory cannot be used or another server uses it;
    /// [`StoreError::Corrupt`] when it was written by a newer version or cannot be read.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_in(dir, Durability::Full)
    }

    /// Like [`Self::open`], with a choice of durability.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_in(dir: &Path, durability: Durability) -> Result<Self, StoreError> {
        let dir = DataDir::lock(dir)?;
        let counters = Arc::new(Counters::default());
        let main_file = dir.main_file();
        let mut main = connection::writing(&main_file, durability, MAIN_WRITER_CACHE_KIB)?;
        migrations::migrate(&mut main, &main_file, migrations::MAIN)?;
        let logs_file = dir.logs_file();
        let mut logs = connection::writing(&logs_file, durability, CACHE_KIB)?;
        migrations::migrate(&mut logs, &logs_file, migrations::LOGS)?;
        Ok(Self {
            main_readers: Readers::start("store-read", &main_file, MAIN_READERS, CACHE_KIB, &counters)?,
            log_readers: Readers::start("store-read-log", &logs_file, 1, CACHE_KIB, &counters)?,
            main: Writer::start("store-write", main, Arc::clone(&counters))?,
            logs: Writer::start("store-write-log", logs, Arc::clone(&counters))?,
            plans: Arc::new(Mutex::new(LruCache::new(CACHED_PLANS))),
            counters,
            _dir: dir,
        })
    }

    /// What it did since it was opened.
    pub fn statistics(&self) -> Statistics {
        self.counters.snapshot()
    }
}
