//! Processes of an attempt: found by control group, by marker and by session; killed until none is left.

use std::{
    fs,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group, set_child_subreaper};
use stroem_runner::ATTEMPT_VARIABLE;

use crate::cgroup::{self, Group};

/// Makes orphans of steps children of this process, so that none escapes to init and all are reaped here.
///
/// # Errors
/// What the kernel says.
pub fn become_subreaper() -> std::io::Result<()> {
    Ok(set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// How to find the processes of one attempt.
#[derive(Debug)]
pub(crate) struct Tree<'a> {
    pub(crate) group: &'a Group,
    /// The main process, which is also its session and process group.
    pub(crate) leader: Pid,
    /// The value of [`ATTEMPT_VARIABLE`].
    pub(crate) marker: &'a str,
}

impl Tree<'_> {
    /// Processes that are left, the leader aside.
    pub(crate) fn others(&self) -> Vec<i32> {
        let leader = self.leader.as_raw_nonzero().get();
        let pids = self.group.members().unwrap_or_else(|| marked(self.marker));
        pids.into_iter().filter(|pid| *pid != leader && !is_zombie(*pid)).collect()
    }

    /// Sends a signal to every process that can be found.
    pub(crate) fn signal(&self, signal: Signal) {
        // Errors mean that the process is gone, which is what we want.
        let _ = kill_process_group(self.leader, signal);
        for pid in self.others() {
            send(pid, signal);
        }
    }

    /// Kills until none is left. True when that worked inside the limit.
    pub(crate) async fn kill_all(&self, limit: Duration) -> bool {
        let mut waited = Duration::ZERO;
        let mut pause = Duration::from_millis(1);
        loop {
            self.signal(Signal::KILL);
            if self.others().is_empty() {
                return true;
            }
            if waited >= limit {
                return false;
            }
            tokio::time::sleep(pause).await;
            waited += pause;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// Waits until the leader is the only one left, at most this long.
    pub(crate) async fn others_gone(&self, limit: Duration) {
        let mut waited = Duration::ZERO;
        let mut pause = Duration::from_millis(2);
        while waited < limit && !self.others().is_empty() {
            tokio::time::sleep(pause).await;
            waited += pause;
            pause = (pause * 2).min(Duration::from_millis(25));
        }
    }
}

/// Sends a signal; a process that is gone is fine.
pub(crate) fn send(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

/// Processes whose environment has the marker with this value.
pub(crate) fn marked(marker: &str) -> Vec<i32> {
    let wanted = format!("{ATTEMPT_VARIABLE}={marker}");
    with_environment(|entry| entry == wanted.as_bytes())
}

/// Processes with an entry of their environment that passes.
pub(crate) fn with_environment(passes: impl Fn(&[u8]) -> bool) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(&passes)
    })
    .collect()
}

fn is_zombie(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
}

/// What a process is, for people: its number and its command line.
pub(crate) fn describe(pid: i32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<_> =
        bytes.split(|byte| *byte == 0).filter(|w| !w.is_empty()).map(String::from_utf8_lossy).collect();
    let line: String = words.join(" ").chars().take(80).collect();
    format!("{pid} ({})", if line.is_empty() { "unknown" } else { &line })
}

/// Kills everything that a dead worker left of an attempt: members of its groups and marked processes. Blocking.
pub(crate) fn kill_left(marker: &str, groups: &[std::path::PathBuf], limit: Duration) {
    #[expect(
        clippy::disallowed_methods,
        reason = "a bound for a kill loop; no decision of the product hangs on it"
    )]
    let end = Instant::now() + limit;
    loop {
        let mut left: Vec<i32> = groups.iter().flat_map(|dir| cgroup::members(dir)).collect();
        left.extend(marked(marker));
        left.retain(|pid| !is_zombie(*pid));
        #[expect(clippy::disallowed_methods, reason = "as above")]
        let over = Instant::now() > end;
        if left.is_empty() || over {
            break;
        }
        for pid in left {
            send(pid, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    for dir in groups {
        cgroup::remove(dir);
    }
}

/// Reaps orphans that were handed to this process. Direct children are left to who waits for them.
pub(crate) fn reap_orphans(is_direct_child: impl Fn(i32) -> bool) {
    use rustix::process::{WaitId, WaitIdOptions, WaitOptions, waitid, waitpid};
    let peek = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let own = rustix::process::getpid().as_raw_nonzero().get();
    if !matches!(waitid(WaitId::All, peek), Ok(Some(_))) {
        return;
    }
    let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
    let orphans = children.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok());
    for pid in orphans.filter(|pid| !is_direct_child(*pid) && is_zombie(*pid)) {
        if let Some(pid) = Pid::from_raw(pid) {
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }
}
