//! When to look: file events from the kernel, as a hint. Knows nothing of snapshots.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode, ModifyKind},
};
use tokio::{sync::Notify, time::sleep};

use super::scan::{excluded_folders, resolve_root};
use crate::{FolderOptions, SourceError};

/// A change is looked at when this long nothing else has happened.
const QUIET: Duration = Duration::from_millis(100);
/// The longest that further changes hold that up.
const QUIET_MAX: Duration = Duration::from_millis(500);
/// How often the quiet time doubles while looking finds nothing new (writes to ignored files, say).
const QUIET_DOUBLINGS: u32 = 2;

/// What events leave for the task that looks.
#[derive(Debug, Default)]
pub(super) struct Hint {
    happened: Notify,
    /// Events were lost or the watched folder was replaced: it must be watched anew.
    stale: AtomicBool,
}

impl Hint {
    /// Waits for a change, then until it is quiet. `fruitless` counts the looks in a row that found nothing.
    pub(super) async fn wait(&self, fruitless: u32) {
        self.happened.notified().await;
        let quiet = QUIET * 2_u32.pow(fruitless.min(QUIET_DOUBLINGS));
        let mut longest = std::pin::pin!(sleep(QUIET_MAX));
        loop {
            tokio::select! {
                () = self.happened.notified() => {}
                () = sleep(quiet) => return,
                () = &mut longest => return,
            }
        }
    }

    pub(super) fn take_stale(&self) -> bool {
        self.stale.swap(false, Ordering::AcqRel)
    }

    fn give(&self, stale: bool) {
        if stale {
            self.stale.store(true, Ordering::Release);
        }
        self.happened.notify_one();
    }
}

/// A running watch: one inotify instance and one thread. Ends when it is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    _watcher: RecommendedWatcher,
}

/// Watches the workspace and its name in the parent folder, for a folder or link that appears or is replaced as
/// a whole. Blocking.
pub(super) fn start(options: &FolderOptions, hint: Arc<Hint>) -> Result<Watch, WatchError> {
    let configured = std::path::absolute(&options.path).map_err(notify::Error::io)?;
    let parent = configured.parent().map(Path::to_path_buf);
    let filter = Arc::new(Filter { configured, content: OnceLock::new() });
    let judge = filter.clone();
    let handler = move |event: notify::Result<Event>| match event.map(|event| judge.judge(&event)) {
        Ok(Verdict::Irrelevant) => {}
        Ok(Verdict::Changed) => hint.give(false),
        Ok(Verdict::Replaced) | Err(_) => hint.give(true),
    };
    let config = notify::Config::default().with_follow_symlinks(false);
    let mut watcher = RecommendedWatcher::new(handler, config)?;
    let parent_watched = parent.map_or(Ok(()), |parent| watcher.watch(&parent, RecursiveMode::NonRecursive));
    match resolve_root(&options.path) {
        Ok(root) => {
            let excluded = excluded_folders(options, &root)?;
            filter.content.get_or_init(|| Content { root: root.clone(), excluded });
            watcher.watch(&root, RecursiveMode::Recursive)?;
            if let Err(error) = parent_watched {
                let path = options.path.display();
                tracing::debug!(%path, %error, "cannot see when the workspace folder is replaced");
            }
        }
        // It will be seen when it appears.
        Err(SourceError::Missing { .. }) => parent_watched?,
        Err(error) => return Err(error.into()),
    }
    Ok(Watch { _watcher: watcher })
}

/// Why a folder cannot be watched.
#[derive(Debug, thiserror::Error)]
pub(super) enum WatchError {
    #[error(transparent)]
    Events(#[from] notify::Error),
    #[error(transparent)]
    Folder(#[from] SourceError),
}

struct Filter {
    configured: PathBuf,
    /// Not set while the folder is missing.
    content: OnceLock<Content>,
}

struct Content {
    /// With links resolved; paths of events in the workspace start with it.
    root: PathBuf,
    excluded: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Irrelevant,
    Changed,
    Replaced,
}

impl Filter {
    fn judge(&self, event: &Event) -> Verdict {
        if event.need_rescan() {
            return Verdict::Replaced;
        }
        let writes = match event.kind {
            EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
            _ => true,
        };
        if !writes {
            return Verdict::Irrelevant;
        }
        let moves = matches!(
            event.kind,
            EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
        );
        let content = self.content.get();
        let is_root = |path: &PathBuf| *path == self.configured || content.is_some_and(|c| *path == c.root);
        if moves && event.paths.iter().any(is_root) {
            return Verdict::Replaced;
        }
        let changed = content.is_some_and(|content| event.paths.iter().any(|path| content.has(path)));
        if changed { Verdict::Changed } else { Verdict::Irrelevant }
    }
}

impl Content {
    fn has(&self, path: &Path) -> bool {
        let Ok(inside) = path.strip_prefix(&self.root) else { return false };
        !inside.iter().any(|name| name == ".git")
            && !self.excluded.iter().any(|folder| path.starts_with(folder))
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, DataChange, Flag, RemoveKind, RenameMode};

    use super::*;

    fn filter() -> Filter {
        let content =
            Content { root: "/real/workspace".into(), excluded: vec!["/real/workspace/data".into()] };
        Filter { configured: "/links/workspace".into(), content: content.into() }
    }

    #[track_caller]
    fn check(kind: EventKind, path: &str, expected: Verdict) {
        let event = Event::new(kind).add_path(path.into());
        assert_eq!(filter().judge(&event), expected, "{kind:?} {path}");
    }

    #[test]
    fn only_writes_to_content_are_changes() {
        let write = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        check(write, "/real/workspace/a", Verdict::Changed);
        check(EventKind::Access(AccessKind::Close(AccessMode::Write)), "/real/workspace/a", Verdict::Changed);
        check(EventKind::Access(AccessKind::Open(AccessMode::Any)), "/real/workspace/a", Verdict::Irrelevant);
        check(EventKind::Remove(RemoveKind::File), "/real/workspace/a", Verdict::Changed);
        check(write, "/real/workspace/.git/index", Verdict::Irrelevant);
        check(write, "/real/workspace/sub/.git/index", Verdict::Irrelevant);
        check(write, "/real/workspace/.github/a", Verdict::Changed);
        check(write, "/real/workspace/data/db", Verdict::Irrelevant);
        check(write, "/links/other", Verdict::Irrelevant);
    }

    #[test]
    fn a_replaced_folder_and_lost_events_need_a_new_watch() {
        check(EventKind::Create(CreateKind::Folder), "/links/workspace", Verdict::Replaced);
        check(EventKind::Remove(RemoveKind::Folder), "/real/workspace", Verdict::Replaced);
        check(EventKind::Modify(ModifyKind::Name(RenameMode::To)), "/links/workspace", Verdict::Replaced);
        let overflow = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert_eq!(filter().judge(&overflow), Verdict::Replaced);
    }
}
