//! One file's content, read so that it is not a mix of two versions, and never through a link. Knows no tarball.

use std::{
    fs::File,
    io::{self, Read, Write as _},
    os::fd::OwnedFd,
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use rustix::fs::{Mode, OFlags};
use sha2::{Digest as _, Sha256};
use stroem_core::limits;

use super::scan::{Stamp, is_workflow_file};
use crate::SourceError;

/// How often a file is read again when it changed meanwhile.
const TRIES: u32 = 5;
/// Files up to this size are held in memory while they are packed, bigger ones copied to a private file first.
const MEMORY_BYTES: u64 = 4 << 20;
/// Bytes read at once.
const BUFFER_BYTES: usize = 128 << 10;
/// A file that changed within this time before it was read may change again without a new time stamp. Kernels
/// stamp files with a clock that ticks every 10 ms at the slowest.
const TICK_NANOS: i64 = 20_000_000;
/// The same for file systems that keep whole seconds; the coarsest keep every second one.
const COARSE_TICK_NANOS: i64 = 2_100_000_000;

/// The SHA-256 of a content.
pub(super) type ContentHash = [u8; 32];

/// What is known about a file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileFacts {
    /// The file's stamp before it was read, with the size that was really read.
    pub(super) stamp: Stamp,
    pub(super) hash: ContentHash,
    /// The same stamp later means the same content.
    pub(super) trusted: bool,
    /// No write happened while it was read.
    pub(super) steady: bool,
    /// Its text, for workflow files.
    pub(super) text: Option<WorkflowText>,
}

/// A workflow file's text, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WorkflowText {
    Text(Arc<str>),
    NotUtf8 { valid_bytes: usize },
    TooLarge,
}

/// A private copy of a file's content.
pub(super) enum Content {
    Memory(Vec<u8>),
    Spooled { file: File, size_bytes: u64 },
}

/// The opened root of a workspace. Files are opened below it.
pub(super) struct Root(OwnedFd);

impl Root {
    pub(super) fn open(path: &Path) -> Result<Self, SourceError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(path, flags, Mode::empty());
        opened.map(Self).map_err(|error| SourceError::unreadable(path, error.into()))
    }

    /// Hashes a file's content; `None` when it is no longer there as a file. `limit_bytes` bounds what is read.
    pub(super) fn hash(&self, path: &Path, limit_bytes: u64) -> Result<Option<FileFacts>, SourceError> {
        let mut buffer = vec![0; BUFFER_BYTES];
        let read = self.read_steadily(path, |file, size_bytes| {
            let mut hasher = Sha256::new();
            let mut kept = Vec::new();
            let keep = is_workflow_file(path) && size_bytes <= limits::WORKFLOW_FILE.as_bytes();
            let mut total_bytes = 0;
            let mut rest = file.take(limit_bytes.saturating_add(1));
            loop {
                let length = rest.read(&mut buffer)?;
                if length == 0 {
                    break Ok(((hasher.finalize().into(), kept), total_bytes));
                }
                hasher.update(&buffer[..length]);
                total_bytes += length as u64;
                if keep {
                    kept.extend_from_slice(&buffer[..length]);
                }
            }
        })?;
        Ok(read.map(|read| {
            let (hash, kept) = read.value;
            FileFacts {
                stamp: read.stamp,
                hash,
                trusted: read.trusted,
                steady: read.steady,
                text: workflow_text(path, read.stamp.size_bytes, &kept),
            }
        }))
    }

    /// Takes a private copy of a file's content, in memory or in `spool_dir`; `None` when it is no longer there as a
    /// file. The facts have the hash of that copy.
    pub(super) fn copy(
        &self,
        path: &Path,
        limit_bytes: u64,
        spool_dir: &Path,
    ) -> Result<Option<(Content, FileFacts)>, SourceError> {
        let read = self.read_steadily(path, |file, size_bytes| {
            let content = copy_content(file, size_bytes, limit_bytes, spool_dir)?;
            let read_bytes = content.size_bytes();
            Ok((content, read_bytes))
        })?;
        let Some(read) = read else { return Ok(None) };
        let mut content = read.value;
        let (hash, text) = match &mut content {
            Content::Memory(bytes) => {
                (Sha256::digest(&bytes).into(), workflow_text(path, bytes.len() as u64, bytes))
            }
            Content::Spooled { file, size_bytes } => {
                let hash = hash_spooled(file).map_err(|error| SourceError::unreadable(path, error))?;
                (hash, workflow_text(path, *size_bytes, &[]))
            }
        };
        let facts = FileFacts { stamp: read.stamp, hash, trusted: read.trusted, steady: read.steady, text };
        Ok(Some((content, facts)))
    }

    /// Reads a file until its stamp is the same before and after, a bounded number of times; the last try counts
    /// either way.
    fn read_steadily<T>(
        &self,
        path: &Path,
        mut read: impl FnMut(&mut File, u64) -> io::Result<(T, u64)>,
    ) -> Result<Option<Steady<T>>, SourceError> {
        let unreadable = |error| SourceError::unreadable(path, error);
        for tries_left in (0..TRIES).rev() {
            let Some(mut file) = self.open_file(path).map_err(unreadable)? else { return Ok(None) };
            let started_nanos = now_nanos();
            let before = file.metadata().map_err(unreadable)?;
            if !before.is_file() {
                return Ok(None);
            }
            let before = Stamp::of(&before);
            let (value, read_bytes) = read(&mut file, before.size_bytes).map_err(unreadable)?;
            let after = Stamp::of(&file.metadata().map_err(unreadable)?);
            let steady = before == after && read_bytes == before.size_bytes;
            if steady || tries_left == 0 {
                let trusted = steady && is_settled(before, started_nanos);
                let stamp = Stamp { size_bytes: read_bytes, ..before };
                return Ok(Some(Steady { value, stamp, steady, trusted }));
            }
        }
        unreachable!("the last try returns")
    }

    /// Opens a file below the root without following any link, and without waiting for the other end of a pipe;
    /// `None` when there is no such file any more.
    fn open_file(&self, path: &Path) -> io::Result<Option<File>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        match open_beneath(&self.0, path, flags) {
            Ok(fd) => Ok(Some(File::from(fd))),
            Err(
                rustix::io::Errno::NOENT
                | rustix::io::Errno::NOTDIR
                | rustix::io::Errno::LOOP
                | rustix::io::Errno::XDEV
                | rustix::io::Errno::NXIO,
            ) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(target_os = "linux")]
fn open_beneath(root: &OwnedFd, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    use rustix::{fs::ResolveFlags, io::Errno};

    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    match rustix::fs::openat2(root, path, flags, Mode::empty(), resolve) {
        // Kernels before 5.6, and sandboxes that do not know the call.
        Err(Errno::NOSYS | Errno::PERM) => rustix::fs::openat(root, path, flags, Mode::empty()),
        opened => opened,
    }
}

#[cfg(not(target_os = "linux"))]
fn open_beneath(root: &OwnedFd, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(root, path, flags, Mode::empty())
}

struct Steady<T> {
    value: T,
    stamp: Stamp,
    steady: bool,
    trusted: bool,
}

impl Content {
    pub(super) const fn size_bytes(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Spooled { size_bytes, .. } => *size_bytes,
        }
    }
}

fn copy_content(file: &mut File, size_bytes: u64, limit_bytes: u64, spool_dir: &Path) -> io::Result<Content> {
    let mut content = Vec::new();
    if size_bytes <= MEMORY_BYTES {
        content.reserve_exact(usize::try_from(size_bytes).unwrap_or(0));
    }
    let mut rest = file.take(limit_bytes.saturating_add(1));
    rest.by_ref().take(MEMORY_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 <= MEMORY_BYTES {
        return Ok(Content::Memory(content));
    }
    let mut spool = tempfile::tempfile_in(spool_dir)?;
    spool.write_all(&content)?;
    let size_bytes = content.len() as u64 + io::copy(&mut rest, &mut spool)?;
    Ok(Content::Spooled { file: spool, size_bytes })
}

fn hash_spooled(file: &mut File) -> io::Result<ContentHash> {
    use std::io::Seek as _;

    file.rewind()?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            file.rewind()?;
            return Ok(hasher.finalize().into());
        }
        hasher.update(&buffer[..length]);
    }
}

fn workflow_text(path: &Path, size_bytes: u64, content: &[u8]) -> Option<WorkflowText> {
    if !is_workflow_file(path) {
        return None;
    }
    if size_bytes > limits::WORKFLOW_FILE.as_bytes() || content.len() as u64 != size_bytes {
        return Some(WorkflowText::TooLarge);
    }
    Some(match std::str::from_utf8(content) {
        Ok(text) => WorkflowText::Text(text.into()),
        Err(error) => WorkflowText::NotUtf8 { valid_bytes: error.valid_up_to() },
    })
}

/// Whether a write after the reading began would have given the file another stamp.
fn is_settled(stamp: Stamp, started_nanos: i64) -> bool {
    let (seconds, nanos) = stamp.changed;
    let changed_nanos = seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
    let tick_nanos = if nanos == 0 { COARSE_TICK_NANOS } else { TICK_NANOS };
    changed_nanos.saturating_add(tick_nanos) < started_nanos
}

/// The wall clock that file systems stamp with, in nanoseconds since the epoch.
#[expect(
    clippy::disallowed_methods,
    reason = "compared with the time stamps of files, which come from this clock"
)]
fn now_nanos() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(changed: (i64, i64), started_nanos: i64, expected: bool) {
        let stamp =
            Stamp { size_bytes: 0, modified: (0, 0), changed, inode: 1, device: 1, executable: false };
        assert_eq!(is_settled(stamp, started_nanos), expected, "{changed:?} read at {started_nanos}");
    }

    #[test]
    fn a_stamp_is_trusted_when_its_clock_has_moved_on() {
        check((10, 500), 10_000_000_500, false);
        check((10, 500), 10_010_000_500, false);
        check((10, 500), 10_030_000_500, true);
        check((10, 500), 9_000_000_000, false);
        check((10, 0), 11_000_000_000, false);
        check((10, 0), 12_200_000_000, true);
        check((i64::MAX, 0), i64::MAX, false);
    }
}
