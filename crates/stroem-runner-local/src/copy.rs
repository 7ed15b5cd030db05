//! Copies a workspace. Never by hard links: a step may write in place. Blocks are shared where the file system can
//! (`FICLONE`), else the kernel copies (`copy_file_range`), else we do.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::{
    fs::{copy_file_range, ioctl_ficlone},
    io::Errno,
};

/// Copies trees of files, and learns what the file system can do.
#[derive(Debug)]
pub(crate) struct Copier {
    can_clone: AtomicBool,
}

/// The copy was given up because nobody needs it any more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    #[error("stopped")]
    Stopped,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Bytes that one call may copy.
const CHUNK: usize = 1 << 30;

impl Copier {
    pub(crate) fn new() -> Self {
        Self { can_clone: AtomicBool::new(true) }
    }

    /// Copies the content of `from` into the new directory `to`, until `stop` says otherwise. Links stay links, executable
    /// bits stay; everything is writable for its owner. What is neither file, folder nor link is left out.
    pub(crate) fn tree(&self, from: &Path, to: &Path, stop: &AtomicBool) -> Result<(), CopyError> {
        fs::create_dir(to)?;
        for entry in fs::read_dir(from)? {
            if stop.load(Ordering::Relaxed) {
                return Err(CopyError::Stopped);
            }
            let entry = entry?;
            let (source, target) = (entry.path(), to.join(entry.file_name()));
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.tree(&source, &target, stop)?;
            } else if kind.is_symlink() {
                std::os::unix::fs::symlink(fs::read_link(&source)?, &target)?;
            } else if kind.is_file() {
                self.file(&source, &target)?;
            }
        }
        Ok(())
    }

    fn file(&self, from: &Path, to: &Path) -> io::Result<()> {
        let source = File::open(from)?;
        let meta = source.metadata()?;
        let mode = meta.permissions().mode() & 0o777 | 0o600;
        let mut target = File::options().write(true).create_new(true).mode(mode).open(to)?;
        if meta.len() == 0 {
            return Ok(());
        }
        if self.can_clone.load(Ordering::Relaxed) {
            match ioctl_ficlone(&target, &source) {
                Ok(()) => return Ok(()),
                // Another file system, or one that does not share blocks: that will not change.
                Err(Errno::OPNOTSUPP | Errno::XDEV | Errno::INVAL | Errno::NOTTY | Errno::NOSYS) => {
                    self.can_clone.store(false, Ordering::Relaxed);
                }
                Err(error) => return Err(error.into()),
            }
        }
        let mut left = meta.len();
        while left > 0 {
            match copy_file_range(&source, None, &target, None, CHUNK) {
                Ok(0) => break,
                Ok(copied) => left = left.saturating_sub(copied as u64),
                Err(Errno::INTR) => {}
                Err(Errno::XDEV | Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS | Errno::PERM) => {
                    // Both positions moved by what was copied so far, so this goes on where it stopped.
                    io::copy(&mut &source, &mut target)?;
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    #[test]
    fn a_copy_has_the_same_files_links_and_bits_and_is_writable() {
        let root = tempfile::tempdir().expect("a directory");
        let (from, to) = (root.path().join("from"), root.path().join("to"));
        fs::create_dir_all(from.join("bin")).expect("made");
        let tool = from.join("bin/tool");
        fs::write(&tool, "#!/bin/sh\n").expect("written");
        fs::write(from.join("big"), vec![7; 300_000]).expect("written");
        fs::write(from.join("empty"), "").expect("written");
        symlink("bin/tool", from.join("link")).expect("linked");
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o555)).expect("set");
        Copier::new().tree(&from, &to, &AtomicBool::new(false)).expect("copied");
        let copied = fs::metadata(to.join("bin/tool")).expect("there");
        assert_eq!(copied.permissions().mode() & 0o700, 0o700);
        assert_ne!(copied.ino(), fs::metadata(&tool).expect("there").ino());
        assert_eq!(fs::read(to.join("big")).expect("there"), vec![7; 300_000]);
        assert_eq!(fs::read(to.join("empty")).expect("there"), b"");
        assert_eq!(fs::read_link(to.join("link")).expect("a link"), Path::new("bin/tool"));
    }

    #[test]
    fn a_stop_ends_the_copy() {
        let root = tempfile::tempdir().expect("a directory");
        fs::create_dir(root.path().join("from")).expect("made");
        fs::write(root.path().join("from/file"), "x").expect("written");
        let stopped =
            Copier::new().tree(&root.path().join("from"), &root.path().join("to"), &AtomicBool::new(true));
        assert!(matches!(stopped, Err(CopyError::Stopped)));
    }
}
