//! A workspace in a directory.
//!
//! `refresh` is a stat-scan (walk and `lstat`, compared with the last scan), not a wait for file events: the kernel
//! delivers those some time after the write, and there is no cheap way to know that all have arrived, while a
//! scan of 10,000 files takes a few tens of milliseconds and of a hundred files well under one. Events are only
//! the hint that makes the background look; between them nothing runs.
//!
//! - `scan`: the tree as `lstat` shows it, with the rules of what belongs to a workspace.
//! - `read`: one file's content, read so that it is not a mix of two versions.
//! - `pack`: the tarball and the revision, computed from the same bytes.
//! - `build`: from scan to snapshot, re-using what is known.
//! - `watch`: inotify, or a slow poll without it.
//! - `source`: the port's implementation around these.

mod build;
mod pack;
mod read;
mod scan;
mod source;
mod watch;

#[cfg(test)]
mod tests;

pub use source::{FolderOptions, FolderSource};
