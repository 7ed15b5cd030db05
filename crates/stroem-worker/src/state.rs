//! The worker's directory: what must outlive its process. One worker at a time may use one.
//!
//! ```text
//! lock                  held while the worker runs
//! journal/              results that the server does not have yet, see `journal`
//! spool/<lease>/        log chunks that the server does not have yet
//! tail/<lease>/         the end of a log that is over its limit
//! scratch/<lease>/      files of an attempt that runs on this host
//! staging/<lease>/      files of an attempt that runs elsewhere and may outlive this process
//! packages/             installed `dependencies:`, kept for later steps
//! ```

use std::{
    fs::{self, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use rustix::fs::FlockOperation;
use stroem_core::{AttemptKey, AttemptNumber, Fence, LeaseKey, RunnerKind};

use crate::WorkerError;

const SPOOL: &str = "spool";
const TAIL: &str = "tail";
const SCRATCH: &str = "scratch";
const STAGING: &str = "staging";
const PACKAGES: &str = "packages";

/// The directory, locked.
#[derive(Debug)]
pub(crate) struct StateDir {
    root: PathBuf,
    _lock: File,
}

impl StateDir {
    /// Makes and locks it.
    pub(crate) fn open(root: &Path) -> Result<Self, WorkerError> {
        let failed = |source| WorkerError::StateDir { path: root.to_owned(), source };
        private_dir(root).map_err(failed)?;
        let root = fs::canonicalize(root).map_err(failed)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(root.join("lock"))
            .map_err(failed)?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { root, _lock: lock }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(WorkerError::StateDirInUse { path: root }),
            Err(error) => Err(failed(error.into())),
        }
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    pub(crate) fn spool(&self, lease: LeaseKey) -> PathBuf {
        self.root.join(SPOOL).join(lease_name(lease))
    }

    pub(crate) fn tail(&self, lease: LeaseKey) -> PathBuf {
        self.root.join(TAIL).join(lease_name(lease))
    }

    pub(crate) fn scratch(&self, lease: LeaseKey, kind: RunnerKind) -> PathBuf {
        let folder = if kind == RunnerKind::Local { SCRATCH } else { STAGING };
        self.root.join(folder).join(lease_name(lease))
    }

    pub(crate) fn packages(&self) -> PathBuf {
        self.root.join(PACKAGES)
    }

    /// Spools that an earlier process left.
    pub(crate) fn left_spools(&self) -> io::Result<Vec<(LeaseKey, PathBuf)>> {
        leases_in(&self.root.join(SPOOL))
    }

    /// Files of attempts on this host, which ended with an earlier process.
    pub(crate) fn left_scratch(&self) -> io::Result<Vec<(LeaseKey, PathBuf)>> {
        leases_in(&self.root.join(SCRATCH))
    }

    /// Removes what an earlier process left and nobody needs: tails, whose attempts were lost with it or are read
    /// again, and files that have long been where their attempts run.
    pub(crate) fn remove_stale(&self) -> io::Result<()> {
        for folder in [TAIL, STAGING] {
            match fs::remove_dir_all(self.root.join(folder)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Makes a directory that only this user can enter: scripts with secrets in them lie below it. One that is there already
/// stays as its owner made it.
pub(crate) fn private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn leases_in(folder: &Path) -> io::Result<Vec<(LeaseKey, PathBuf)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut leases = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let Some(lease) = entry.file_name().to_str().and_then(parse_lease_name) {
            leases.push((lease, entry.path()));
        }
    }
    leases.sort_unstable();
    Ok(leases)
}

fn lease_name(LeaseKey { attempt, fence }: LeaseKey) -> String {
    format!("{}.{}.{}.{fence}", attempt.job, attempt.step, attempt.attempt)
}

fn parse_lease_name(name: &str) -> Option<LeaseKey> {
    let mut parts = name.split('.');
    let job = parts.next()?.parse().ok()?;
    let step = parts.next()?.parse().ok()?;
    let attempt = AttemptNumber(parts.next()?.parse().ok()?);
    let fence = Fence(parts.next()?.parse().ok()?);
    parts.next().is_none().then_some(LeaseKey { attempt: AttemptKey { job, step, attempt }, fence })
}

/// A name that a user chose as the name of a directory: never hidden, never `..`. Names have no `%`.
pub(crate) fn dir_name(name: &str) -> String {
    match name.strip_prefix('.') {
        Some(rest) => format!("%2E{rest}"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use stroem_core::JobId;

    use super::*;

    #[test]
    fn one_worker_at_a_time_has_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let first = StateDir::open(dir.path()).unwrap();
        assert!(matches!(StateDir::open(dir.path()), Err(WorkerError::StateDirInUse { .. })));
        drop(first);
        StateDir::open(dir.path()).unwrap();
    }

    #[test]
    fn directories_of_leases_are_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        let attempt = AttemptKey { job: JobId::from_bytes([7; 16]), step: 3, attempt: AttemptNumber(2) };
        let lease = LeaseKey { attempt, fence: Fence(99) };
        assert_eq!(state.left_spools().unwrap(), []);
        fs::create_dir_all(state.spool(lease)).unwrap();
        fs::create_dir_all(state.spool(lease).with_file_name("else")).unwrap();
        assert_eq!(state.left_spools().unwrap(), [(lease, state.spool(lease))]);
    }

    #[test]
    fn a_name_of_dots_stays_inside_its_folder() {
        assert_eq!(dir_name(".."), "%2E.");
        assert_eq!(dir_name("my.ops"), "my.ops");
    }
}
