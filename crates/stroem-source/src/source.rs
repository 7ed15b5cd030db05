//! The port: where the files of a workspace come from.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use stroem_core::Revision;
use tokio::sync::watch;

use crate::{Snapshot, SourceError};

/// Where a workspace's files come from. Every implementation keeps this contract:
///
/// - **Revisions are immutable.** Equal revisions have equal content, wherever and whenever they were taken; the
///   tarball of a snapshot contains exactly what its revision names.
/// - **Refreshing is exact.** The snapshot that [`refresh`](Self::refresh) returns has every write that had
///   finished when it was called. Concurrent calls share work as far as that allows, and without a change
///   nothing is read again.
/// - **Failing keeps the last good state.** After an error [`current`](Self::current) is what it was; the next
///   refresh tries again.
/// - **A cancelled refresh is harmless.** When its future is dropped, work that has begun is finished or left
///   without a trace, and counts for the next call.
/// - **Crashing is harmless.** A tarball appears under its name only when it is complete and on disk.
/// - Tarballs are never removed by the source: whoever pins revisions knows which are needed. A removed tarball of
///   the current revision is written again by the next refresh.
#[async_trait]
pub trait WorkspaceSource: Send + Sync {
    /// The content as it is now.
    ///
    /// # Errors
    /// [`SourceError`] says why there is no snapshot of the present content.
    async fn refresh(&self) -> Result<Arc<Snapshot>, SourceError>;

    /// The latest snapshot, without looking; `None` before the first one.
    fn current(&self) -> Option<Arc<Snapshot>>;

    /// A counter that moves within a second after the content changed to something else, became unusable or
    /// usable again; many changes at once may count as one. It also moves when [`refresh`](Self::refresh) was first
    /// to see the change. It is a hint: what has changed is told by [`refresh`](Self::refresh).
    fn changed(&self) -> watch::Receiver<u64>;

    /// Where the tarball of an earlier revision lies, when it is still there.
    fn tarball(&self, revision: &Revision) -> Option<PathBuf>;
}
