//! The processes of a running attempt: finding, signalling, waiting for their end. No timers tick here: every wait is
//! for the end of a known process.

use std::{sync::Arc, time::Duration};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::{
    cgroup::Group,
    children::Children,
    kill::{Remains, family, signal},
    launch::watch,
    procfs,
};

/// The kernel needs a moment after a KILL; what is left then is reported.
const KILL_LIMIT: Duration = Duration::from_millis(900);

/// How to find the processes of one attempt.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) group: Group,
    /// The main process, not reaped yet. It is also the session and the process group, so their number cannot be given
    /// to anybody else.
    pub(crate) main: Pid,
    pub(crate) marker: String,
    pub(crate) children: Arc<Children>,
}

impl Tree {
    fn main_pid(&self) -> i32 {
        self.main.as_raw_nonzero().get()
    }

    /// What a crash would leave of it.
    pub(crate) fn remains(&self) -> Remains {
        let groups = self.group.dirs().to_vec();
        Remains { marker: self.marker.clone(), main: Some(self.main_pid()), groups }
    }

    /// Its living processes, the main one among them.
    fn members(&self) -> Vec<i32> {
        let mut members = match self.group.members() {
            Some(members) => members,
            None => return self.searched(),
        };
        members.extend(self.escaped());
        members.sort_unstable();
        members.dedup();
        members
    }

    /// Found by looking at every process of the host.
    fn searched(&self) -> Vec<i32> {
        let remains = self.remains();
        let escaped = self.escaped();
        family(|process, marker| remains.owns(process, marker) || escaped.contains(&process.pid))
    }

    /// Living orphans that are of this attempt and whose main process has ended. Every process that survives the main
    /// one is such an orphan or descends from one.
    fn escaped(&self) -> Vec<i32> {
        let main = self.main_pid();
        let mut orphans = self.children.orphans();
        orphans.retain(|process| {
            if process.session == main || process.group == main {
                return true;
            }
            match procfs::variable(process, stroem_runner::ATTEMPT_VARIABLE) {
                Some(marker) => marker == self.marker,
                // It cleared its environment. A control group knows whose it is; without one it is certain only when
                // no other attempt runs.
                None => self.group.members().is_none() && self.children.count() <= 1,
            }
        });
        orphans.into_iter().map(|process| process.pid).collect()
    }

    /// What the main process left running when it ended: first what costs nothing to know. Removes the groups when nothing
    /// is left.
    pub(crate) fn left_behind(&mut self) -> Vec<i32> {
        let main = self.main_pid();
        let is_empty = self.group.try_remove();
        let escaped = self.escaped();
        if escaped.is_empty() && (is_empty || self.group.members().is_none()) {
            return Vec::new();
        }
        let mut left = if escaped.is_empty() { self.members() } else { self.searched() };
        left.extend(self.group.members().unwrap_or_default());
        left.sort_unstable();
        left.dedup();
        left.retain(|pid| *pid != main);
        left
    }

    /// Asks every process to end, once: what a process starts in answer to that is left in peace.
    pub(crate) fn terminate(&self) {
        let main = self.main_pid();
        let _ = kill_process_group(self.main, Signal::TERM);
        for pid in self.members() {
            if procfs::process(pid).is_some_and(|process| process.group != main) {
                signal(pid, Signal::TERM);
            }
        }
    }

    /// Waits until no process is left.
    pub(crate) async fn gone(&self) {
        let mut pause = Duration::ZERO;
        loop {
            let members = self.members();
            if members.is_empty() {
                return;
            }
            ended(&members).await;
            // A process stays listed for an instant after its end was told.
            tokio::time::sleep(pause).await;
            pause = (pause * 2).clamp(Duration::from_millis(1), Duration::from_millis(20));
        }
    }

    /// Kills until none is left; what could not be killed is returned.
    pub(crate) async fn kill(&self) -> Vec<i32> {
        let all_gone = async {
            loop {
                self.group.kill();
                let _ = kill_process_group(self.main, Signal::KILL);
                let members = self.members();
                if members.is_empty() {
                    return;
                }
                members.iter().for_each(|pid| signal(*pid, Signal::KILL));
                let _ = tokio::time::timeout(Duration::from_millis(50), ended(&members)).await;
                tokio::task::yield_now().await;
            }
        };
        let left = match tokio::time::timeout(KILL_LIMIT, all_gone).await {
            Ok(()) => Vec::new(),
            Err(_) => self.members(),
        };
        // Their ends made zombies of this process's new children.
        self.children.orphans();
        left
    }
}

/// Waits for the end of each of these.
async fn ended(pids: &[i32]) {
    for pid in pids.iter().filter_map(|pid| Pid::from_raw(*pid)) {
        let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        match watch(pidfd) {
            Ok(pidfd) => {
                let _ended_or_unreadable = pidfd.readable().await;
            }
            Err(error) => tracing::debug!(%error, "the end of a process cannot be awaited"),
        }
    }
}
