//! Control groups of attempts: membership that `setsid` cannot leave, memory limits, peaks.
//!
//! Version 1 controllers and version 2 look alike from here: a directory per attempt below the worker's own, a file
//! that takes members, files with limits. What the host does not offer is named, and the attempt runs without it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use stroem_core::{ByteSize, Resources};

/// Where attempts' groups can be made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hierarchy {
    memory: Option<Controller>,
    cpu: Option<Controller>,
}

#[derive(Debug, Clone)]
struct Controller {
    base: PathBuf,
    files: &'static Files,
}

/// The files of a controller's version.
#[derive(Debug)]
struct Files {
    limit: &'static str,
    peak: &'static str,
    oom: &'static str,
}

const V1_MEMORY: Files =
    Files { limit: "memory.limit_in_bytes", peak: "memory.max_usage_in_bytes", oom: "memory.oom_control" };
const V2_MEMORY: Files = Files { limit: "memory.max", peak: "memory.peak", oom: "memory.events" };
const V1_CPU: Files = Files { limit: "cpu.cfs_quota_us", peak: "", oom: "" };
const CPU_PERIOD_US: u64 = 100_000;

/// The groups of one attempt.
#[derive(Debug, Default)]
pub(crate) struct Group {
    memory: Option<(PathBuf, &'static Files)>,
    cpu: Option<PathBuf>,
    limit: Option<ByteSize>,
}

impl Hierarchy {
    /// Looks what this host offers, below the groups that this process is in.
    pub(crate) fn detect(own_groups: &str, mounts: &Path) -> Self {
        let below = |controller: &str| {
            own_groups.lines().find_map(|line| {
                let mut parts = line.splitn(3, ':');
                let (_, names, path) = (parts.next()?, parts.next()?, parts.next()?);
                names
                    .split(',')
                    .any(|name| name == controller)
                    .then(|| path.trim_start_matches('/').to_owned())
            })
        };
        let v1 = |controller: &str, files: &'static Files| {
            let base = mounts.join(controller).join(below(controller)?);
            base.join(files.limit).exists().then_some(Controller { base, files })
        };
        let v2 = || {
            let base = mounts.join(below("")?);
            let delegated = fs::read_to_string(base.join("cgroup.subtree_control")).ok()?;
            delegated
                .split_whitespace()
                .any(|name| name == "memory")
                .then_some(Controller { base, files: &V2_MEMORY })
        };
        let mut found = Self { memory: v1("memory", &V1_MEMORY).or_else(v2), cpu: v1("cpu", &V1_CPU) };
        // Files can be there and yet not ours to write: try once.
        for slot in [&mut found.memory, &mut found.cpu] {
            let probe = slot
                .as_ref()
                .map(|controller| controller.base.join(format!("stroem-probe-{}", std::process::id())));
            if let Some(probe) = probe {
                if fs::create_dir(&probe).is_err() {
                    *slot = None;
                }
                remove(&probe);
            }
        }
        found
    }

    /// Makes the groups of an attempt, and says which limits cannot be kept.
    pub(crate) fn create(&self, name: &str, resources: &Resources) -> (Group, Vec<String>) {
        let (mut group, mut notes) = (Group::default(), Vec::new());
        if let Some(controller) = &self.memory {
            let dir = controller.base.join(format!("stroem-{name}"));
            match fs::create_dir(&dir) {
                Ok(()) => group.memory = Some((dir, controller.files)),
                Err(error) => notes.push(format!("no control group for this step: {error}")),
            }
        }
        if let Some(limit) = resources.memory {
            let written = group.memory.as_ref().is_some_and(|(dir, files)| {
                fs::write(dir.join(files.limit), limit.as_bytes().to_string()).is_ok()
            });
            group.limit = written.then_some(limit);
            if !written {
                notes.push(format!(
                    "the memory limit of {limit} is not kept: this host gives the worker no memory cgroup"
                ));
            }
        }
        if let Some(cpu) = resources.cpu {
            let dir = self.cpu.as_ref().map(|controller| controller.base.join(format!("stroem-{name}")));
            let quota = (u64::from(cpu.millicores()) * CPU_PERIOD_US / 1_000).to_string();
            let kept = dir.filter(|dir| {
                fs::create_dir(dir).is_ok() && fs::write(dir.join(V1_CPU.limit), quota).is_ok()
            });
            if kept.is_none() {
                notes.push(format!(
                    "the CPU limit of {cpu} is not kept: this host gives the worker no cpu cgroup"
                ));
            }
            group.cpu = kept;
        }
        (group, notes)
    }
}

impl Group {
    /// Files that take a process as a member when it writes `0` to them.
    pub(crate) fn member_files(&self) -> Vec<PathBuf> {
        self.dirs().map(|dir| dir.join("cgroup.procs")).collect()
    }

    /// Its directories.
    pub(crate) fn dirs(&self) -> impl Iterator<Item = &Path> {
        self.memory.iter().map(|(dir, _)| dir.as_path()).chain(self.cpu.as_deref())
    }

    /// Its processes; none when there is no group to ask.
    pub(crate) fn members(&self) -> Option<Vec<i32>> {
        self.memory.as_ref().map(|(dir, _)| members(dir))
    }

    /// The limit that is kept.
    pub(crate) fn limit(&self) -> Option<ByteSize> {
        self.limit
    }

    /// Whether the kernel killed a process of the group for its memory.
    pub(crate) fn was_out_of_memory(&self) -> bool {
        let Some((dir, files)) = &self.memory else { return false };
        let Ok(text) = fs::read_to_string(dir.join(files.oom)) else { return false };
        text.lines().filter_map(|line| line.strip_prefix("oom_kill ")).any(|count| count.trim() != "0")
    }

    /// The most memory that it used.
    pub(crate) fn peak_memory(&self) -> Option<ByteSize> {
        let (dir, files) = self.memory.as_ref()?;
        fs::read_to_string(dir.join(files.peak)).ok()?.trim().parse().ok().map(ByteSize)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for dir in self.dirs() {
            remove(dir);
        }
    }
}

/// The processes of a group's directory.
pub(crate) fn members(dir: &Path) -> Vec<i32> {
    let text = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// Removes an empty group; one that is gone already is fine.
pub(crate) fn remove(dir: &Path) {
    if let Err(error) = fs::remove_dir(dir)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::debug!(dir = %dir.display(), %error, "control group cannot be removed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_2_needs_the_memory_controller_delegated() {
        let mounts = tempfile::tempdir().expect("a directory");
        let own = mounts.path().join("app");
        fs::create_dir(&own).expect("made");
        fs::write(own.join("cgroup.subtree_control"), "cpu pids\n").expect("written");
        assert!(Hierarchy::detect("0::/app\n", mounts.path()).memory.is_none());
        fs::write(own.join("cgroup.subtree_control"), "cpu memory\n").expect("written");
        let found = Hierarchy::detect("0::/app\n", mounts.path());
        assert_eq!(found.memory.expect("delegated").base, own);
    }

    #[test]
    fn a_limit_that_cannot_be_kept_is_named() {
        let resources = Resources { memory: Some(ByteSize::from_mib(64)), cpu: None };
        let (group, notes) = Hierarchy::default().create("x", &resources);
        assert!(group.limit().is_none() && notes[0].contains("64 MiB"), "{notes:?}");
    }
}
