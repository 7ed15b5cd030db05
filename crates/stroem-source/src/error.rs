//! Why a workspace has no snapshot of its present content.

use std::{io, path::PathBuf, sync::Arc};

use stroem_core::ByteSize;

/// Why there is no snapshot. All of these are about the user's files or the environment; none is a bug.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SourceError {
    /// The workspace's folder does not exist.
    #[error("the workspace folder `{}` does not exist", path.display())]
    Missing {
        /// The folder as configured.
        path: PathBuf,
    },
    /// The workspace's path is no folder.
    #[error("the workspace path `{}` is not a folder", path.display())]
    NotAFolder {
        /// The path as configured.
        path: PathBuf,
    },
    /// The files are too big together.
    #[error(
        "the workspace has {size}, {limit} is the limit; the biggest parts are {}: leave out what steps do not \
         need with a `.stroemignore` file",
        describe(biggest)
    )]
    TooLarge {
        /// The size of all files.
        size: ByteSize,
        /// The limit.
        limit: ByteSize,
        /// The biggest folders and files at the top of the workspace with their sizes, biggest first.
        biggest: Vec<(String, ByteSize)>,
    },
    /// There are too many files.
    #[error(
        "the workspace has more than {limit} files and folders: leave out what steps do not need with a \
         `.stroemignore` file"
    )]
    TooManyFiles {
        /// The limit.
        limit: usize,
    },
    /// A `.stroemignore` file has a line that is not a pattern, or cannot be read.
    #[error("a `.stroemignore` file cannot be used: {message}")]
    IgnoreFile {
        /// Which file, which line, and what is wrong.
        message: String,
    },
    /// A file or folder of the workspace cannot be read.
    #[error("cannot read `{}` of the workspace", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// Files came and went faster than they could be read.
    #[error("the workspace kept changing while it was read, last at `{}`", path.display())]
    Unstable {
        /// The file that was there and then was not.
        path: PathBuf,
    },
    /// The tarball cannot be written.
    #[error("cannot write the workspace's tarball in `{}`", path.display())]
    Tarball {
        /// The folder for tarballs.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// A tarball that was written earlier cannot be read.
    #[error("cannot read the workspace's tarball `{}`", path.display())]
    TarballUnreadable {
        /// The tarball.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// The folder for tarballs is the workspace itself, so that each would change it.
    #[error("tarballs cannot be kept in the workspace folder `{}` itself", path.display())]
    TarballsInWorkspace {
        /// The folder.
        path: PathBuf,
    },
    /// The process is shutting down.
    #[error("the workspace is closed because the process ends")]
    Closed,
}

impl SourceError {
    pub(crate) fn unreadable(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Unreadable { path: path.into(), source: Arc::new(source) }
    }
}

fn describe(biggest: &[(String, ByteSize)]) -> String {
    let parts = biggest.iter().map(|(name, size)| format!("`{name}` ({size})"));
    parts.collect::<Vec<_>>().join(", ")
}
