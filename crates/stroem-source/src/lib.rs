//! Workspaces on the server side: what a revision of a workspace contains, and when there is a new one.
//!
//! [`WorkspaceSource`] is the port; [`FolderSource`] serves a directory. A source turns files into an immutable
//! [`Snapshot`]: the revision, the texts of the workflow files and a tarball on disk. It does not know what
//! workflow files mean, where tarballs are kept in the end, nor who runs them.

mod error;
mod folder;
mod reread;
mod snapshot;
mod source;

pub use error::SourceError;
pub use folder::{FolderOptions, FolderSource};
pub use reread::{open_plain, workflow_files_of};
pub use snapshot::{NoteReason, Snapshot, SnapshotNote, WorkflowFile};
pub use source::WorkspaceSource;
