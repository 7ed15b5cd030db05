//! What this host lets the worker do with control groups, found out once at the start.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use stroem_core::Resources;

use super::{Group, PREFIX, Version, mounts::OwnGroups, remove};

/// A directory below which groups of attempts can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Base {
    dir: PathBuf,
    version: Version,
}

/// Where groups of attempts go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Host {
    /// Every attempt gets a group here: it says who belongs to the attempt.
    tracker: Option<Base>,
    /// Attempts with a memory limit get a group here.
    memory: Option<Base>,
    /// Attempts with a CPU limit get a group here.
    cpu: Option<Base>,
}

/// Controllers of version 1 that can hold members, the cheapest to make a group in first.
const TRACKERS: [&str; 4] = ["freezer", "pids", "name=systemd", "memory"];
/// The group that the worker moves itself into: version 2 gives controllers only to groups without members.
const WORKER_LEAF: &str = "stroem-worker";

impl Host {
    /// Looks what this process may do.
    pub(crate) fn detect() -> Self {
        Self::below(&OwnGroups::of_this_process())
    }

    /// Finds out by trying: files can be there and yet not ours to write.
    pub(crate) fn below(own: &OwnGroups) -> Self {
        let v1 = |controller: &str| {
            let dir = own.by_controller.get(controller)?.clone();
            takes_groups(&dir).then_some(Base { dir, version: Version::One })
        };
        let unified = own.unified.clone().filter(|dir| takes_groups(dir));
        let delegated = unified.as_deref().map(delegate).unwrap_or_default();
        let v2 = |controller: &str| {
            let has_it = delegated.iter().any(|name| name == controller);
            unified.clone().filter(|_| has_it).map(|dir| Base { dir, version: Version::Two })
        };
        let tracker = unified.clone().map(|dir| Base { dir, version: Version::Two });
        Self {
            tracker: tracker.or_else(|| TRACKERS.iter().find_map(|controller| v1(controller))),
            memory: v2("memory").or_else(|| v1("memory")),
            cpu: v2("cpu").or_else(|| v1("cpu")),
        }
    }

    /// This host without its version 2; nothing where it has no other.
    #[cfg(test)]
    pub(crate) fn version_1() -> Option<Self> {
        let host = Self::below(&OwnGroups { unified: None, ..OwnGroups::of_this_process() });
        host.memory.is_some().then_some(host)
    }

    /// Makes the groups of an attempt, and says in sentences for its log what cannot be kept.
    pub(crate) fn create(&self, marker: &str, resources: &Resources) -> (Group, Vec<String>) {
        let (mut group, mut notes) = (Group::default(), Vec::new());
        let directory =
            |base: &Option<Base>| base.as_ref().map(|base| base.dir.join(format!("{PREFIX}{marker}")));
        if let (Some(base), Some(dir)) = (&self.tracker, directory(&self.tracker)) {
            match group.join(&dir) {
                Ok(()) => group.tracked_by(dir, base.version),
                Err(error) => notes.push(format!("no control group for this step: {error}")),
            }
        }
        if let Some(limit) = resources.memory {
            let kept = match (&self.memory, directory(&self.memory)) {
                (Some(base), Some(dir)) => {
                    group.join(&dir).and_then(|()| group.limit_memory(dir, base.version, limit))
                }
                _ => Err(io::Error::other("this host gives the worker no memory cgroup")),
            };
            if let Err(error) = kept {
                notes.push(format!("the memory limit of {limit} is not kept: {error}"));
            }
        }
        if let Some(cpu) = resources.cpu {
            let kept = match (&self.cpu, directory(&self.cpu)) {
                (Some(base), Some(dir)) => {
                    group.join(&dir).and_then(|()| super::group::limit_cpu(&dir, base.version, cpu))
                }
                _ => Err(io::Error::other("this host gives the worker no cpu cgroup")),
            };
            if let Err(error) = kept {
                notes.push(format!("the CPU limit of {cpu} is not kept: {error}"));
            }
        }
        (group, notes)
    }

    /// Groups whose marker passes: what a crash left.
    pub(crate) fn left(&self, passes: impl Fn(&str) -> bool) -> Vec<PathBuf> {
        let mut bases: Vec<&Path> = [&self.tracker, &self.memory, &self.cpu]
            .into_iter()
            .flatten()
            .map(|base| base.dir.as_path())
            .collect();
        bases.dedup();
        let entries = bases.into_iter().filter_map(|dir| fs::read_dir(dir).ok()).flatten().flatten();
        let passing = entries.filter(|entry| {
            entry.file_name().to_str().and_then(|name| name.strip_prefix(PREFIX)).is_some_and(&passes)
        });
        passing.map(|entry| entry.path()).collect()
    }
}

/// Whether a group can be made below this one.
fn takes_groups(dir: &Path) -> bool {
    let probe = dir.join(format!("stroem-probe-{}", std::process::id()));
    let made = match fs::create_dir(&probe) {
        Ok(()) => true,
        // Another runner of this process asks the same.
        Err(error) => error.kind() == io::ErrorKind::AlreadyExists,
    };
    if made {
        remove(&probe);
    }
    made
}

/// The controllers that groups below this one get. Asks for memory and cpu where they are missing; for that the worker
/// leaves this group for one below it, if nobody else is in it.
fn delegate(dir: &Path) -> Vec<String> {
    let words = |file: &str| -> Vec<String> {
        let text = fs::read_to_string(dir.join(file)).unwrap_or_default();
        text.split_whitespace().map(str::to_owned).collect()
    };
    let given = words("cgroup.subtree_control");
    let available = words("cgroup.controllers");
    let missing: Vec<String> = ["memory", "cpu"]
        .into_iter()
        .filter(|name| available.iter().any(|a| a == name) && !given.iter().any(|g| g == name))
        .map(|name| format!("+{name}"))
        .collect();
    if missing.is_empty() {
        return given;
    }
    let ask = || fs::write(dir.join("cgroup.subtree_control"), missing.join(" "));
    if ask().is_err()
        && let Err(error) = step_aside(dir).and_then(|()| ask())
    {
        tracing::info!(dir = %dir.display(), %error, "control group has no controllers for steps");
    }
    words("cgroup.subtree_control")
}

/// Moves this process and its children (the keeper) out of the way.
fn step_aside(dir: &Path) -> io::Result<()> {
    let own = std::process::id();
    let ours = |pid: i32| {
        let parent = crate::procfs::process(pid).map(|process| process.parent);
        [Some(pid), parent].into_iter().flatten().any(|pid| u32::try_from(pid) == Ok(own))
    };
    let members = super::members(dir);
    if !members.iter().all(|pid| ours(*pid)) {
        return Err(io::Error::other("other processes are in the worker's control group"));
    }
    let leaf = dir.join(WORKER_LEAF);
    match fs::create_dir(&leaf) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    members.iter().try_for_each(|pid| fs::write(leaf.join("cgroup.procs"), pid.to_string()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use stroem_core::{ByteSize, CpuQuantity};

    use super::*;

    fn own(unified: Option<&Path>, memory: Option<&Path>) -> OwnGroups {
        let by_controller =
            memory.map(|dir| ("memory".to_owned(), dir.to_owned())).into_iter().collect::<BTreeMap<_, _>>();
        OwnGroups { unified: unified.map(Path::to_owned), by_controller }
    }

    fn limits() -> Resources {
        Resources {
            memory: Some(ByteSize::from_mib(64)),
            cpu: Some(CpuQuantity::from_millicores(500)),
            pids: None,
        }
    }

    #[test]
    fn version_2_limits_where_controllers_are_delegated() {
        let mount = tempfile::tempdir().expect("a directory");
        fs::write(mount.path().join("cgroup.subtree_control"), "cpu memory pids\n").expect("written");
        let host = Host::below(&own(Some(mount.path()), None));
        let (group, notes) = host.create("x", &limits());
        assert_eq!((notes, group.limit()), (vec![], Some(ByteSize::from_mib(64))));
        let dir = mount.path().join("stroem-x");
        let read = |file: &str| fs::read_to_string(dir.join(file)).expect("written");
        assert_eq!((read("memory.max"), read("cpu.max")), ("67108864".to_owned(), "50000 100000".to_owned()));
        assert_eq!(group.dirs(), std::slice::from_ref(&dir), "one group serves for all");
        fs::write(dir.join("memory.events"), "low 0\noom 1\noom_kill 1\noom_group_kill 0\n")
            .expect("written");
        fs::write(dir.join("memory.peak"), "67000000\n").expect("written");
        fs::write(dir.join("cgroup.procs"), "12\n13\n").expect("written");
        assert!(group.was_out_of_memory());
        assert_eq!(group.peak_memory(), Some(ByteSize(67_000_000)));
        assert_eq!(group.members(), Some(vec![12, 13]));
        assert_eq!(host.left(|marker| marker == "x"), [dir]);
    }

    #[test]
    fn version_2_without_controllers_still_tracks_and_names_what_it_cannot_limit() {
        let mount = tempfile::tempdir().expect("a directory");
        fs::write(mount.path().join("cgroup.controllers"), "hugetlb\n").expect("written");
        let (group, notes) = Host::below(&own(Some(mount.path()), None)).create("x", &limits());
        assert!(group.members().is_some() && group.limit().is_none());
        assert!(notes[0].contains("64 MiB") && notes[1].contains("500m"), "{notes:?}");
    }

    #[test]
    fn version_1_limits_memory_beside_a_version_2_that_tracks() {
        let mount = tempfile::tempdir().expect("a directory");
        let (unified, memory) = (mount.path().join("unified"), mount.path().join("memory"));
        for dir in [&unified, &memory] {
            fs::create_dir(dir).expect("made");
        }
        let host = Host::below(&own(Some(&unified), Some(&memory)));
        let (group, notes) = host.create("x", &Resources { cpu: None, ..limits() });
        assert!(notes.is_empty(), "{notes:?}");
        let dir = memory.join("stroem-x");
        assert_eq!(fs::read_to_string(dir.join("memory.limit_in_bytes")).expect("written"), "67108864");
        fs::write(dir.join("memory.oom_control"), "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
            .expect("written");
        assert!(group.was_out_of_memory());
        assert_eq!(group.dirs().len(), 2);
        let (free, _) = host.create("y", &Resources::default());
        assert_eq!(free.dirs(), [unified.join("stroem-y")], "no limit, no memory group");
    }

    #[test]
    fn without_any_groups_the_attempt_runs_and_says_so() {
        let (group, notes) = Host::default().create("x", &limits());
        assert!(group.members().is_none() && group.dirs().is_empty());
        assert_eq!(notes.len(), 2);
    }
}
