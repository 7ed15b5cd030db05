//! Removes tarballs of revisions that no job needs any more. A job pins its revision until it has ended.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use stroem_core::{JobStatus, Timestamp, limits};
use stroem_store::JobFilter;

use crate::{App, AppError, recovery::before};

const PERIOD: Duration = Duration::from_secs(3_600);
/// A tarball as young as this may be that of a job which is just being created.
const YOUNG: Duration = Duration::from_secs(3_600);

/// Runs until it is dropped.
pub(crate) async fn serve(app: App) {
    loop {
        match app.remove_tarballs(before(app.now(), YOUNG)).await {
            Ok(removed) if removed.is_empty() => {}
            Ok(removed) => tracing::info!(tarballs = removed.len(), "tarballs of old revisions removed"),
            Err(error) => tracing::warn!(%error, "tarballs of old revisions cannot be removed"),
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// Removes what no server needs any more from the place that all of them use; runs until it is dropped.
pub(crate) async fn serve_shared(app: App) {
    loop {
        match remove_unused(&app).await {
            Ok(0) => {}
            Ok(tarballs) => tracing::info!(tarballs, "tarballs of old revisions removed for all servers"),
            Err(error) => tracing::warn!(%error, "tarballs of old revisions cannot be removed"),
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// Tarballs at once.
const AT_ONCE: u32 = 1_000;

async fn remove_unused(app: &App) -> Result<usize, AppError> {
    let Some(store) = app.inner.replicas.store() else { return Ok(0) };
    let mut removed = 0;
    let unused = store.unused_blobs("tarballs", YOUNG, AT_ONCE).await?;
    // Asked after that: a job that pins a revision noted its use before.
    if let Some(needed) = app.needed_revisions().await? {
        let needed: BTreeSet<String> =
            needed.iter().map(|revision| format!("tarballs/{revision}.tar.zst")).collect();
        for key in unused.iter().filter(|key| !needed.contains(*key)) {
            store.delete_blob(key).await?;
            removed += 1;
        }
    }
    store.remove_unnamed().await?;
    Ok(removed)
}

impl App {
    /// The newest revisions, and those that open jobs pin; none when there are too many jobs to tell.
    async fn needed_revisions(&self) -> Result<Option<BTreeSet<String>>, AppError> {
        // Before the jobs: a job that is created meanwhile pins one of these or a younger one.
        let mut needed: BTreeSet<String> = self.inner.workspaces.newest_revisions();
        for status in [JobStatus::Pending, JobStatus::Running] {
            let filter = JobFilter { status: Some(status), limit: limits::JOB_PAGE, ..JobFilter::default() };
            let page = self.inner.store.list(&filter).await?;
            if page.total > page.items.len() as u64 {
                tracing::debug!(jobs = page.total, "too many open jobs to tell which revisions are needed");
                return Ok(None);
            }
            needed.extend(page.items.iter().map(|item| item.job.revision.to_string()));
        }
        Ok(Some(needed))
    }

    /// Removes tarballs last written before this time whose revision is neither a workspace's newest one nor pinned by a job
    /// that has not ended. Answers their paths.
    ///
    /// # Errors
    /// [`AppError::Store`]; [`AppError::Disk`] for the first one that cannot be removed.
    pub async fn remove_tarballs(&self, written_before: Timestamp) -> Result<Vec<PathBuf>, AppError> {
        let Some(needed) = self.needed_revisions().await? else { return Ok(Vec::new()) };
        let root = self.inner.options.data_dir.join("tarballs");
        let since_epoch = Duration::from_micros(u64::try_from(written_before.as_micros()).unwrap_or(0));
        let written_before = SystemTime::UNIX_EPOCH + since_epoch;
        let work = move || remove_others(&root, &needed, written_before);
        let removed = tokio::task::spawn_blocking(work).await;
        removed.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(|error| AppError::Disk {
            what: "tarballs of old revisions".to_owned(),
            message: error.to_string(),
        })
    }
}

fn remove_others(
    root: &Path,
    needed: &BTreeSet<String>,
    written_before: SystemTime,
) -> std::io::Result<Vec<PathBuf>> {
    let mut removed = Vec::new();
    if !root.exists() {
        return Ok(removed);
    }
    for workspace in fs::read_dir(root)? {
        for entry in fs::read_dir(workspace?.path())? {
            let entry = entry?;
            let name = entry.file_name();
            let revision = name.to_str().and_then(|name| name.strip_suffix(".tar.zst"));
            let is_old = entry.metadata()?.modified()? < written_before;
            if is_old && revision.is_some_and(|revision| !needed.contains(revision)) {
                fs::remove_file(entry.path())?;
                removed.push(entry.path());
            }
        }
    }
    Ok(removed)
}
