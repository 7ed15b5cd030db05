//! What a source knows about one revision.

use std::{fmt, path::PathBuf, sync::Arc};

use stroem_core::{ByteSize, Revision, limits};

/// A workspace at one revision. Never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Names the content.
    pub revision: Revision,
    /// The workflow files (`.workflows/**/*.{yaml,yml}`), sorted by path.
    pub workflow_files: Vec<WorkflowFile>,
    /// What is not in this snapshot as it is in the source, sorted by path.
    pub notes: Vec<SnapshotNote>,
    /// Where `<revision>.tar.zst` is.
    pub tarball: PathBuf,
    /// The size of all files together, unpacked.
    pub size_bytes: u64,
    /// The number of files, without folders and links.
    pub file_count: usize,
}

/// A workflow file and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowFile {
    /// Relative to the workspace, with `/`.
    pub path: String,
    /// The text, exactly as it is in the tarball.
    pub text: Arc<str>,
}

/// Something that was left out of a snapshot or is not what it seems, to be shown to the user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotNote {
    /// Relative to the workspace, with `/`; bytes that are not UTF-8 are replaced.
    pub path: String,
    /// What is special about it.
    pub reason: NoteReason,
}

impl fmt::Display for SnapshotNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.path, self.reason)
    }
}

/// Why there is a note.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoteReason {
    /// A workflow file whose bytes are not UTF-8. It is in the tarball, its workflows are not loaded.
    NotUtf8 {
        /// Bytes before the first bad one.
        valid_bytes: usize,
    },
    /// A workflow file whose name is not UTF-8. It is in the tarball, its workflows are not loaded.
    NameNotUtf8,
    /// A workflow file over [`limits::WORKFLOW_FILE`]. It is in the tarball, its workflows are not loaded.
    WorkflowTooLarge {
        /// Its size.
        size: ByteSize,
    },
    /// A link where workflow files are expected. It is in the tarball, but links are not followed to workflows.
    WorkflowLink,
    /// A symbolic link that can lead out of the workspace. It is left out.
    LinkLeaves {
        /// Where it points.
        target: String,
    },
    /// A socket, pipe or device. It is left out.
    Special {
        /// Which of them.
        what: &'static str,
    },
    /// A file that was written to during every try to read it. The tarball has what was read last, which may mix
    /// old and new parts.
    KeptChanging,
}

impl fmt::Display for NoteReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 { valid_bytes } => {
                write!(
                    f,
                    "is not UTF-8 text (the first bad byte is number {}), so its workflows are not loaded",
                    valid_bytes + 1
                )
            }
            Self::NameNotUtf8 => f.write_str("has a name that is not UTF-8, so its workflows are not loaded"),
            Self::WorkflowTooLarge { size } => {
                let limit = limits::WORKFLOW_FILE;
                write!(
                    f,
                    "has {size}, {limit} is the limit of a workflow file, so its workflows are not loaded"
                )
            }
            Self::WorkflowLink => f.write_str(
                "is a symbolic link, which is not followed to load workflows: put the file itself there",
            ),
            Self::LinkLeaves { target } => {
                write!(
                    f,
                    "is left out: the link to `{target}` is absolute, leaves the workspace or goes up (`..`) after \
                     going down"
                )
            }
            Self::Special { what } => write!(f, "is left out: it is a {what}"),
            Self::KeptChanging => {
                f.write_str("was written to during every try to read it; the snapshot has what was read last")
            }
        }
    }
}
