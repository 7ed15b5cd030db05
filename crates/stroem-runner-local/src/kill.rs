//! Kills what is left of attempts, without a runtime: for the keeper, for sweeps, for attempts that were dropped.

use std::{collections::HashSet, path::PathBuf, time::Duration};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    cgroup,
    procfs::{self, Process},
};

/// How to recognise processes of an attempt that nobody runs any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Remains {
    /// The marker in their environment.
    pub(crate) marker: String,
    /// The main process, which gave session and process group their number.
    pub(crate) main: Option<i32>,
    /// Its control groups.
    pub(crate) groups: Vec<PathBuf>,
}

impl Remains {
    /// Whether the process belongs to it by what it is itself, its parents aside.
    pub(crate) fn owns(&self, process: &Process, marker: Option<&str>) -> bool {
        self.main.is_some_and(|main| [process.pid, process.group, process.session].contains(&main))
            || marker.is_some_and(|marker| marker == self.marker)
    }
}

/// Kills all processes of these attempts, then removes their groups. What could not be killed within `limit` is returned.
pub(crate) fn kill_remains(remains: &[Remains], limit: Duration) -> Vec<i32> {
    let left = kill_all(limit, || {
        let groups = remains.iter().flat_map(|remains| &remains.groups);
        let mut left: Vec<i32> =
            groups.filter(|dir| !cgroup::kill(dir)).flat_map(|dir| cgroup::members(dir)).collect();
        left.extend(family(|process, marker| remains.iter().any(|remains| remains.owns(process, marker))));
        left.extend(remains.iter().flat_map(|remains| &remains.groups).flat_map(|dir| cgroup::members(dir)));
        left
    });
    remains.iter().flat_map(|remains| &remains.groups).for_each(|dir| cgroup::remove(dir));
    left
}

/// Kills what `find` finds until it finds nothing.
pub(crate) fn kill_all(limit: Duration, find: impl Fn() -> Vec<i32>) -> Vec<i32> {
    let (mut waited, mut pause) = (Duration::ZERO, Duration::from_millis(1));
    loop {
        let mut left = find();
        left.sort_unstable();
        left.dedup();
        if left.is_empty() || waited >= limit {
            return left;
        }
        left.iter().for_each(|pid| signal(*pid, Signal::KILL));
        std::thread::sleep(pause);
        waited += pause;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Sends a signal; a process that is gone is fine.
pub(crate) fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

/// All living processes that pass `owns`, and all that descend from them. This process and the kernel's are never among
/// them.
pub(crate) fn family(owns: impl Fn(&Process, Option<&str>) -> bool) -> Vec<i32> {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let processes = procfs::processes();
    let mut found: HashSet<i32> = processes
        .iter()
        .filter(|process| process.pid != own && !process.is_kernel)
        .filter(|process| {
            owns(process, None) || {
                let marker = procfs::variable(process, stroem_runner::ATTEMPT_VARIABLE);
                marker.is_some() && owns(process, marker.as_deref())
            }
        })
        .map(|process| process.pid)
        .collect();
    // Parents may stand after their children in the list: repeat until nothing is added.
    loop {
        let before = found.len();
        for process in &processes {
            if found.contains(&process.parent) {
                found.insert(process.pid);
            }
        }
        if found.len() == before {
            break;
        }
    }
    processes
        .iter()
        .filter(|process| !process.is_zombie && found.contains(&process.pid))
        .map(|p| p.pid)
        .collect()
}
