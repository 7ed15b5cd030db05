//! Watermarks of the disks that a worker fills: its workspace cache, its spool, and where the engine of a runner keeps
//! images. Over the lower mark what can be had again is removed, the least recently used first; over the upper one the
//! tags that need the disk are taken back, with the reason, until there is room. Running steps go on.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path, sync::Arc};

use stroem_core::RunnerKind;
use stroem_runner::Runner;

use crate::{cache::Cache, config::DiskSection, options::Options};

/// Tries to make room in one round; what is left then the next round removes.
const COLLECTED_AT_ONCE: u32 = 100;

/// How full a file system is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes in use.
    pub used: u64,
    /// Bytes that this process may still use.
    pub available: u64,
}

impl Usage {
    /// Percent in use, rounded down; what only the system may use does not count.
    pub fn percent(self) -> u64 {
        let all = u128::from(self.used) + u128::from(self.available);
        u64::try_from(u128::from(self.used) * 100 / all.max(1)).unwrap_or(100)
    }

    /// The bytes over a mark.
    fn over(self, percent: u32) -> u64 {
        let all = u128::from(self.used) + u128::from(self.available);
        let most = u64::try_from(all * u128::from(percent) / 100).unwrap_or(u64::MAX);
        self.used.saturating_sub(most)
    }
}

/// Tells how full disks are.
pub trait Space: Send + Sync {
    /// Of the file system that a path is on.
    ///
    /// # Errors
    /// When the system does not tell.
    fn usage(&self, path: &Path) -> io::Result<Usage>;
}

/// As the system says it.
#[derive(Debug, Clone, Copy)]
pub struct SystemSpace;

impl Space for SystemSpace {
    fn usage(&self, path: &Path) -> io::Result<Usage> {
        let found = rustix::fs::statvfs(path)?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        Ok(Usage {
            used: bytes(found.f_blocks.saturating_sub(found.f_bfree)),
            available: bytes(found.f_bavail),
        })
    }
}

/// The worker's disks for one round.
pub(crate) struct Disks<'a> {
    options: &'a Options,
    cache: &'a Cache,
}

/// A disk over its upper mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Full {
    /// The runner that cannot go on; none for all of them.
    pub(crate) runner: Option<RunnerKind>,
    pub(crate) reason: String,
}

impl<'a> Disks<'a> {
    pub(crate) const fn new(options: &'a Options, cache: &'a Cache) -> Self {
        Self { options, cache }
    }

    /// Makes room where it is short; what is full all the same.
    pub(crate) async fn look_after(&self) -> Vec<Full> {
        let mut full = Vec::new();
        let (cache, state) = (&self.options.cache_dir, &self.options.state_dir);
        full.extend(self.own(cache, "the workspace cache").await);
        if !is_same_disk(cache, state) {
            full.extend(self.fullness(state, "logs and results", None));
        }
        for runner in &self.options.runners {
            if let Some(root) = runner.data_root().await {
                full.extend(self.of_runner(runner, &root).await);
            }
        }
        full
    }

    async fn own(&self, path: &Path, what: &str) -> Option<Full> {
        let over = self.usage(path)?.over(self.marks().collect_at_percent);
        if over > 0 {
            tracing::warn!(path = %path.display(), bytes = over, "the disk of the workspace cache fills up; removing unused revisions");
            self.cache.free(over).await;
        }
        self.fullness(path, what, None)
    }

    async fn of_runner(&self, runner: &Arc<dyn Runner>, root: &Path) -> Option<Full> {
        let what = format!("images and containers of the {} runner", runner.kind());
        for _ in 0..COLLECTED_AT_ONCE {
            if self.usage(root)?.over(self.marks().collect_at_percent) == 0 || !runner.collect_one().await {
                break;
            }
        }
        self.fullness(root, &what, Some(runner.kind()))
    }

    fn fullness(&self, path: &Path, what: &str, runner: Option<RunnerKind>) -> Option<Full> {
        let (usage, mark) = (self.usage(path)?, self.marks().stop_at_percent);
        let reason = || {
            format!(
                "the disk with {what} ({}) is {} % full, and from {mark} % on this worker takes no steps (`disk.stop_at_percent`)",
                path.display(),
                usage.percent()
            )
        };
        (usage.percent() >= u64::from(mark)).then(|| Full { runner, reason: reason() })
    }

    /// Nothing when the system does not tell, which must not stop a worker.
    fn usage(&self, path: &Path) -> Option<Usage> {
        let told = self.options.space.usage(path);
        told.inspect_err(
            |error| tracing::debug!(path = %path.display(), %error, "no word on how full a disk is"),
        )
        .ok()
    }

    fn marks(&self) -> DiskSection {
        self.options.disk
    }
}

fn is_same_disk(one: &Path, other: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).map(|meta| meta.dev());
    matches!((device(one), device(other)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_counts_what_this_process_may_use() {
        let usage = Usage { used: 850, available: 150 };
        assert_eq!((usage.percent(), usage.over(85), usage.over(80), usage.over(100)), (85, 0, 50, 0));
        assert_eq!(Usage { used: 0, available: 0 }.percent(), 0);
        let huge = Usage { used: u64::MAX, available: u64::MAX };
        assert_eq!((huge.percent(), huge.over(50)), (50, 0));
    }

    #[test]
    fn the_system_tells_of_a_real_disk() {
        let usage = SystemSpace.usage(Path::new("/")).unwrap();
        assert!(usage.used > 0 && usage.percent() <= 100, "{usage:?}");
        assert!(SystemSpace.usage(Path::new("/nonexistent/x")).is_err());
    }
}
