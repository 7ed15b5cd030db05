//! Removing revisions, the least recently used first, as long as all together are over the limit. What any worker uses
//! is locked and stays.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

use rustix::fs::FlockOperation;
use stroem_core::ByteSize;

use super::unpack;

/// What directories begin with that are not revisions.
pub(super) const PART: &str = ".part-";

/// A new name for something unfinished, on the same file system.
pub(super) fn part(root: &Path, target: &Path) -> PathBuf {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    root.join(unpack::part_name(target, COUNTER.fetch_add(1, Ordering::Relaxed)))
}

/// Removes unfinished directories of processes that are gone.
pub(super) fn remove_leftovers(root: &Path) {
    let Ok(entries) = fs::read_dir(root) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner =
            name.to_str().and_then(|name| name.strip_prefix(PART)?.split('-').next()?.parse::<u32>().ok());
        if let Some(owner) = owner
            && (owner == std::process::id() || !Path::new(&format!("/proc/{owner}")).exists())
        {
            remove(&entry.path());
        }
    }
}

struct Cached {
    size_file: PathBuf,
    bytes: u64,
    used_at: SystemTime,
}

/// Brings the cache under its limit, as far as what is in use allows. `fresh` is about to be used and stays.
pub(super) fn evict(root: &Path, limit: ByteSize, fresh: &Path) {
    let Some(cached) = listed(root) else { return };
    let total: u64 = cached.iter().map(|revision| revision.bytes).sum();
    let rest = cached.into_iter().filter(|revision| revision.size_file != fresh);
    remove_oldest(root, rest.collect(), total.saturating_sub(limit.as_bytes()));
}

/// Removes so many bytes, as far as what is in use allows.
pub(super) fn free(root: &Path, bytes: u64) {
    remove_oldest(root, listed(root).unwrap_or_default(), bytes);
}

fn listed(root: &Path) -> Option<Vec<Cached>> {
    list(root).inspect_err(|error| tracing::warn!(%error, "the workspace cache cannot be listed")).ok()
}

fn remove_oldest(root: &Path, mut cached: Vec<Cached>, mut over: u64) {
    cached.sort_by_key(|revision| revision.used_at);
    for revision in cached {
        if over == 0 {
            return;
        }
        match remove_unused(root, &revision.size_file) {
            Ok(true) => over = over.saturating_sub(revision.bytes),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "a revision cannot be removed from the workspace cache"),
        }
    }
}

fn list(root: &Path) -> io::Result<Vec<Cached>> {
    let mut cached = Vec::new();
    for folder in fs::read_dir(root)? {
        let folder = folder?;
        if folder.file_name().to_str().is_none_or(|name| name.starts_with('.'))
            || !folder.file_type()?.is_dir()
        {
            continue;
        }
        for file in fs::read_dir(folder.path())? {
            let size_file = file?.path();
            if size_file.extension().is_some_and(|ending| ending == "size") {
                // Another worker may have removed it since it was listed.
                let (Ok(text), Ok(meta)) = (fs::read_to_string(&size_file), fs::metadata(&size_file)) else {
                    continue;
                };
                let bytes = text.trim().parse().unwrap_or(0);
                cached.push(Cached { size_file, bytes, used_at: meta.modified()? });
            }
        }
    }
    Ok(cached)
}

/// Removes a revision unless it is in use.
fn remove_unused(root: &Path, size_file: &Path) -> io::Result<bool> {
    let lock = match File::open(size_file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        lock => lock?,
    };
    if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(false);
    }
    let files = size_file.with_extension("");
    let aside = part(root, &files);
    match fs::rename(&files, &aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::remove_file(size_file)?;
    remove(&aside);
    Ok(true)
}

fn remove(path: &Path) {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    if let Err(error) = removed
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "a part of the workspace cache cannot be removed");
    }
}
