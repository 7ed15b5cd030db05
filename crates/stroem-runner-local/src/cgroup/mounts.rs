//! Where the control groups of this process are in the file system.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Directories of the groups that this process is in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OwnGroups {
    /// In the unified hierarchy of version 2, which may be mounted beside version 1.
    pub(crate) unified: Option<PathBuf>,
    /// By controller of version 1; `name=` hierarchies too.
    pub(crate) by_controller: BTreeMap<String, PathBuf>,
}

impl OwnGroups {
    /// Reads them for this process.
    pub(crate) fn of_this_process() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        Self::parse(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"))
    }

    /// From the texts of `/proc/self/cgroup` and `/proc/self/mountinfo`.
    pub(crate) fn parse(own: &str, mountinfo: &str) -> Self {
        let own: BTreeMap<&str, &str> = own
            .lines()
            .filter_map(|line| {
                let mut parts = line.splitn(3, ':').skip(1);
                Some((parts.next()?, parts.next()?))
            })
            .flat_map(|(names, path)| names.split(',').map(move |name| (name, path)))
            .collect();
        let mut found = Self::default();
        for mount in mountinfo.lines().filter_map(Mount::parse) {
            match mount.kind {
                "cgroup2" => {
                    let path = own.get("").and_then(|path| mount.directory(path));
                    found.unified = found.unified.or(path);
                }
                "cgroup" => {
                    for option in mount.options.split(',') {
                        if let Some(path) = own.get(option).and_then(|path| mount.directory(path)) {
                            found.by_controller.entry(option.to_owned()).or_insert(path);
                        }
                    }
                }
                _ => {}
            }
        }
        found
    }
}

/// A line of `mountinfo`, see proc(5).
struct Mount<'a> {
    root: &'a str,
    point: String,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (mount, source) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (root, point) = (mount.next()?, mount.next()?.replace("\\040", " "));
        let mut source = source.split(' ');
        let kind = source.next()?;
        Some(Self { root, point, kind, options: source.nth(1)? })
    }

    /// The directory of a group; none when it is outside of what is mounted.
    fn directory(&self, group: &str) -> Option<PathBuf> {
        let below = Path::new(group).strip_prefix(self.root).ok()?;
        Some(Path::new(&self.point).join(below))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(own: &str, mountinfo: &str, unified: Option<&str>, controllers: &[(&str, &str)]) {
        let controllers =
            controllers.iter().map(|(name, path)| ((*name).to_owned(), PathBuf::from(path))).collect();
        let expected = OwnGroups { unified: unified.map(PathBuf::from), by_controller: controllers };
        assert_eq!(OwnGroups::parse(own, mountinfo), expected);
    }

    #[test]
    fn a_unified_host() {
        check(
            "0::/system.slice/worker.service\n",
            "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n",
            Some("/sys/fs/cgroup/system.slice/worker.service"),
            &[],
        );
    }

    #[test]
    fn a_hybrid_host_with_joined_controllers() {
        check(
            "4:memory:/app\n2:cpu,cpuacct:/app\n1:name=systemd:/\n0::/\n",
            "1 0 0:1 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
             2 1 0:2 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
             3 1 0:3 / /sys/fs/cgroup/cpu,cpuacct rw shared:3 - cgroup cgroup rw,cpu,cpuacct\n\
             4 1 0:4 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
            Some("/sys/fs/cgroup/unified"),
            &[
                ("memory", "/sys/fs/cgroup/memory/app"),
                ("cpu", "/sys/fs/cgroup/cpu,cpuacct/app"),
                ("cpuacct", "/sys/fs/cgroup/cpu,cpuacct/app"),
            ],
        );
    }

    #[test]
    fn a_container_sees_its_group_as_the_mount() {
        let mountinfo = "9 8 0:9 /docker/ab /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        check("4:memory:/docker/ab\n", mountinfo, None, &[("memory", "/sys/fs/cgroup/memory/")]);
        check("4:memory:/elsewhere\n", mountinfo, None, &[]);
    }
}
