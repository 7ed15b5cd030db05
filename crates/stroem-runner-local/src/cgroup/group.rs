//! The control groups of one attempt.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use stroem_core::{ByteSize, CpuQuantity};

use super::Version;

/// The groups of one attempt. They are removed with it, once they are empty.
#[derive(Debug, Default)]
pub(crate) struct Group {
    dirs: Vec<PathBuf>,
    tracker: Option<(PathBuf, Version)>,
    memory: Option<(PathBuf, Version)>,
    limit: Option<ByteSize>,
}

const CPU_PERIOD_US: u64 = 100_000;
/// The kernel takes no smaller quota.
const CPU_QUOTA_MIN_US: u64 = 1_000;

impl Group {
    /// Makes a directory, unless the attempt has it already for another purpose.
    pub(super) fn join(&mut self, dir: &Path) -> io::Result<()> {
        if !self.dirs.iter().any(|known| known == dir) {
            fs::create_dir(dir)?;
            self.dirs.push(dir.to_owned());
        }
        Ok(())
    }

    pub(super) fn tracked_by(&mut self, dir: PathBuf, version: Version) {
        self.tracker = Some((dir, version));
    }

    pub(super) fn limit_memory(&mut self, dir: PathBuf, version: Version, limit: ByteSize) -> io::Result<()> {
        let (main, swap, swap_limit) = match version {
            Version::One => ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", limit.as_bytes()),
            Version::Two => ("memory.max", "memory.swap.max", 0),
        };
        fs::write(dir.join(main), limit.as_bytes().to_string())?;
        // Kernels without accounting of swap have no such file, and then swap is not theirs to limit.
        let _ = fs::write(dir.join(swap), swap_limit.to_string());
        self.memory = Some((dir, version));
        self.limit = Some(limit);
        Ok(())
    }

    /// The group that a process can be born in: one of version 2.
    pub(crate) fn birthplace(&self) -> Option<&Path> {
        let (dir, version) = self.tracker.as_ref()?;
        matches!(version, Version::Two).then_some(dir)
    }

    /// The other groups' files that take a process as a member when it writes `0` to them.
    pub(crate) fn member_files(&self) -> Vec<PathBuf> {
        let birthplace = self.birthplace();
        let joined = self.dirs.iter().filter(|dir| birthplace != Some(dir.as_path()));
        joined.map(|dir| dir.join("cgroup.procs")).collect()
    }

    /// Its directories.
    pub(crate) fn dirs(&self) -> &[PathBuf] {
        &self.dirs
    }

    /// Its living processes; none when there is no group to ask.
    pub(crate) fn members(&self) -> Option<Vec<i32>> {
        self.tracker.as_ref().map(|(dir, _)| members(dir))
    }

    /// The memory limit that is kept.
    pub(crate) fn limit(&self) -> Option<ByteSize> {
        self.limit
    }

    /// Whether the kernel killed a process of the group for its memory.
    pub(crate) fn was_out_of_memory(&self) -> bool {
        let file = |version| match version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        let Some((dir, version)) = &self.memory else { return false };
        let Ok(text) = fs::read_to_string(dir.join(file(*version))) else { return false };
        text.lines().filter_map(|line| line.strip_prefix("oom_kill ")).any(|count| count.trim() != "0")
    }

    /// The most memory that it used.
    pub(crate) fn peak_memory(&self) -> Option<ByteSize> {
        let (dir, version) = self.memory.as_ref()?;
        let file = match version {
            Version::One => "memory.max_usage_in_bytes",
            Version::Two => "memory.peak",
        };
        fs::read_to_string(dir.join(file)).ok()?.trim().parse().ok().map(ByteSize)
    }

    /// Kills all members at once, where the kernel can do that.
    pub(crate) fn kill(&self) -> bool {
        self.tracker.as_ref().is_some_and(|(dir, _)| kill(dir))
    }

    /// Removes the groups. True when none of them had a living process, which is known only where one tracks the attempt.
    pub(crate) fn try_remove(&mut self) -> bool {
        self.dirs
            .retain(|dir| fs::remove_dir(dir).is_err_and(|error| error.kind() != io::ErrorKind::NotFound));
        self.tracker.is_some() && self.dirs.is_empty()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for dir in &self.dirs {
            remove(dir);
        }
    }
}

/// Limits the processor time of a group.
pub(super) fn limit_cpu(dir: &Path, version: Version, cpu: CpuQuantity) -> io::Result<()> {
    let quota = (u64::from(cpu.millicores()) * CPU_PERIOD_US / 1_000).max(CPU_QUOTA_MIN_US);
    match version {
        Version::One => {
            fs::write(dir.join("cpu.cfs_period_us"), CPU_PERIOD_US.to_string())?;
            fs::write(dir.join("cpu.cfs_quota_us"), quota.to_string())
        }
        Version::Two => fs::write(dir.join("cpu.max"), format!("{quota} {CPU_PERIOD_US}")),
    }
}

/// The living processes of a group and of groups that they made below it.
pub(crate) fn members(dir: &Path) -> Vec<i32> {
    let text = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    let mut pids: Vec<i32> = text.lines().filter_map(|line| line.parse().ok()).collect();
    for below in below(dir) {
        pids.extend(members(&below));
    }
    pids
}

/// Kills a whole group at once (version 2, Linux 5.14). False where that does not exist.
pub(crate) fn kill(dir: &Path) -> bool {
    fs::File::options()
        .write(true)
        .open(dir.join("cgroup.kill"))
        .is_ok_and(|mut file| io::Write::write_all(&mut file, b"1").is_ok())
}

/// Removes an empty group and empty groups below it; one that is gone already is fine.
pub(crate) fn remove(dir: &Path) {
    let is_gone = |result: &io::Result<()>| match result {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    if is_gone(&fs::remove_dir(dir)) {
        return;
    }
    below(dir).iter().for_each(|dir| remove(dir));
    let result = fs::remove_dir(dir);
    if !is_gone(&result) {
        tracing::warn!(dir = %dir.display(), error = ?result.err(), "a control group cannot be removed");
    }
}

fn below(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|e| e.path())
        .collect()
}
