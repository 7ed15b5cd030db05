//! Who the children of this process are: main processes of attempts, which their attempts wait for, and orphans of
//! attempts that the kernel handed to this process as their subreaper.
//!
//! Every attempt begins with a session of its own, and no process can go back to a session that it left. So a child in
//! another session than this process's own that nobody here started is an orphan of an attempt; only such children are
//! reaped here, and never one that a runtime or library waits for.

use std::{
    collections::HashSet,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustix::process::{Pid, WaitOptions, getpid, set_child_subreaper, waitpid};

use crate::procfs::{self, Process};

/// Makes orphans of steps children of this process, so that none escapes to init and all are reaped here.
///
/// # Errors
/// What the kernel says.
pub fn become_subreaper() -> io::Result<()> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// The main processes that are running.
#[derive(Debug)]
pub(crate) struct Children {
    own_session: i32,
    known: Mutex<HashSet<i32>>,
}

impl Children {
    pub(crate) fn new() -> io::Result<Self> {
        become_subreaper()?;
        Ok(Self { own_session: procfs::own_session()?, known: Mutex::default() })
    }

    /// A process that its own attempt waits for.
    pub(crate) fn add(&self, pid: Pid) {
        self.lock().insert(pid.as_raw_nonzero().get());
    }

    /// Reaps the main process of an attempt.
    pub(crate) fn reap(&self, pid: Pid) {
        let mut known = self.lock();
        // It has ended, so this does not wait; an error means that it was reaped, which nobody else does.
        let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        known.remove(&pid.as_raw_nonzero().get());
    }

    /// How many attempts have a main process.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Reaps orphans that ended and tells those that are alive.
    pub(crate) fn orphans(&self) -> Vec<Process> {
        // Main processes are children of the spawner's thread, orphans of the main thread, so they do not mix here.
        let mut orphans: Vec<Process> =
            procfs::own_children().into_iter().filter_map(procfs::process).collect();
        orphans.retain(|process| self.is_foreign(process));
        orphans.retain(|process| {
            if process.is_zombie
                && let Some(pid) = Pid::from_raw(process.pid)
            {
                let _ = waitpid(Some(pid), WaitOptions::NOHANG);
            }
            !process.is_zombie
        });
        orphans
    }

    fn is_foreign(&self, process: &Process) -> bool {
        process.session != self.own_session && process.session != 0
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<i32>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
