//! The tree of a workspace as `lstat` shows it: what belongs to the workspace and what has changed. Reads no
//! file but `.stroemignore`.

use std::{
    collections::BTreeMap,
    fs::Metadata,
    io,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{FileTypeExt as _, MetadataExt as _},
    },
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use ignore::WalkBuilder;
use stroem_core::{ByteSize, limits};

use crate::{FolderOptions, NoteReason, SnapshotNote, SourceError};

const IGNORE_FILE: &str = ".stroemignore";
const WORKFLOWS: &str = ".workflows";
/// How many of the biggest parts an error names.
const BIGGEST: usize = 3;

/// Everything in a workspace at one moment, sorted by the bytes of the path, so that a folder comes before what
/// is in it. Equal scans mean that nothing has changed, as far as time stamps can tell.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scan {
    /// The folder itself, with all links resolved.
    pub(super) root: PathBuf,
    pub(super) entries: Vec<Entry>,
    pub(super) notes: Vec<SnapshotNote>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Relative to the root.
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    File(Stamp),
    Link { target: PathBuf },
}

/// What changes when a file's content or mode does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) size_bytes: u64,
    pub(super) modified: (i64, i64),
    pub(super) changed: (i64, i64),
    pub(super) inode: u64,
    pub(super) device: u64,
    pub(super) executable: bool,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            size_bytes: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
            device: metadata.dev(),
            executable: metadata.mode() & 0o111 != 0,
        }
    }
}

/// Walks the workspace.
pub(super) fn scan(options: &FolderOptions) -> Result<Scan, SourceError> {
    let root = resolve_root(&options.path)?;
    let excluded = excluded_folders(options, &root)?;
    let mut scan = Scan { root, entries: vec![], notes: vec![] };
    let mut walk = WalkBuilder::new(&scan.root);
    walk.standard_filters(false).follow_links(false).add_custom_ignore_filename(IGNORE_FILE);
    walk.filter_entry(move |entry| {
        entry.depth() == 0 || (entry.file_name() != ".git" && !excluded.iter().any(|e| e == entry.path()))
    });
    for entry in walk.build() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if is_gone(&error) => continue,
            Err(error) => return Err(walk_error(&scan.root, &error)),
        };
        if let Some(error) = entry.error() {
            return Err(SourceError::IgnoreFile { message: error.to_string() });
        }
        if entry.depth() > 0 {
            scan.add(&entry)?;
        }
        if scan.entries.len() > limits::WORKSPACE_FILES {
            return Err(SourceError::TooManyFiles { limit: limits::WORKSPACE_FILES });
        }
    }
    scan.entries.sort_unstable_by(|a, b| bytes(&a.path).cmp(bytes(&b.path)));
    scan.notes.sort_unstable();
    scan.check_size(options.limit)?;
    Ok(scan)
}

/// The configured folder with all links resolved.
pub(super) fn resolve_root(path: &Path) -> Result<PathBuf, SourceError> {
    let root = path.canonicalize().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => SourceError::Missing { path: path.to_owned() },
        io::ErrorKind::NotADirectory => SourceError::NotAFolder { path: path.to_owned() },
        _ => SourceError::unreadable(path, error),
    })?;
    if root.is_dir() { Ok(root) } else { Err(SourceError::NotAFolder { path: path.to_owned() }) }
}

/// Whether `path` (relative to the workspace) is where workflows are loaded from.
pub(super) fn is_workflow_file(path: &Path) -> bool {
    path.starts_with(WORKFLOWS) && path.extension().is_some_and(|e| e == "yaml" || e == "yml")
}

/// Folders that are never part of the workspace, as far as they exist.
pub(super) fn excluded_folders(options: &FolderOptions, root: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let all = options.exclude.iter().chain([&options.tarball_dir]);
    let excluded: Vec<PathBuf> = all.filter_map(|path| path.canonicalize().ok()).collect();
    if excluded.iter().any(|path| path == root) {
        return Err(SourceError::TarballsInWorkspace { path: root.to_owned() });
    }
    Ok(excluded)
}

impl Scan {
    fn add(&mut self, entry: &ignore::DirEntry) -> Result<(), SourceError> {
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            Err(error) if is_gone(&error) => return Ok(()),
            Err(error) => return Err(walk_error(entry.path(), &error)),
        };
        let path = entry.path().strip_prefix(&self.root).expect("the walk stays below its root").to_owned();
        let kind = metadata.file_type();
        if kind.is_dir() {
            self.entries.push(Entry { path, kind: Kind::Folder });
        } else if kind.is_file() {
            self.entries.push(Entry { path, kind: Kind::File(Stamp::of(&metadata)) });
        } else if kind.is_symlink() {
            self.add_link(entry.path(), path)?;
        } else {
            let what = match kind {
                kind if kind.is_fifo() => "named pipe",
                kind if kind.is_socket() => "socket",
                _ => "device",
            };
            self.note(&path, NoteReason::Special { what });
        }
        Ok(())
    }

    fn add_link(&mut self, full_path: &Path, path: PathBuf) -> Result<(), SourceError> {
        let target = match std::fs::read_link(full_path) {
            Ok(target) => target,
            // It was replaced just now; the check after reading sees that.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidInput) => {
                return Ok(());
            }
            Err(error) => return Err(SourceError::unreadable(full_path, error)),
        };
        let Some(target) = contained_target(&path, &target) else {
            self.note(&path, NoteReason::LinkLeaves { target: target.to_string_lossy().into_owned() });
            return Ok(());
        };
        let expects_workflows = path == Path::new(WORKFLOWS)
            || is_workflow_file(&path)
            || (path.starts_with(WORKFLOWS) && full_path.is_dir());
        if expects_workflows {
            self.note(&path, NoteReason::WorkflowLink);
        }
        self.entries.push(Entry { path, kind: Kind::Link { target } });
        Ok(())
    }

    fn note(&mut self, path: &Path, reason: NoteReason) {
        self.notes.push(SnapshotNote { path: path.to_string_lossy().into_owned(), reason });
    }

    fn check_size(&self, limit: ByteSize) -> Result<(), SourceError> {
        let files = || {
            self.entries.iter().filter_map(|entry| match &entry.kind {
                Kind::File(stamp) => Some((entry.path.as_path(), stamp.size_bytes)),
                Kind::Folder | Kind::Link { .. } => None,
            })
        };
        let size_bytes = files().fold(0, |sum: u64, (_, size)| sum.saturating_add(size));
        if size_bytes <= limit.as_bytes() { Ok(()) } else { Err(too_large(files(), limit)) }
    }
}

/// The error for files that are too big together.
pub(super) fn too_large<'a>(files: impl Iterator<Item = (&'a Path, u64)>, limit: ByteSize) -> SourceError {
    let mut parts: BTreeMap<String, u64> = BTreeMap::new();
    for (path, size) in files {
        let top = path.components().next().map(|c| c.as_os_str().to_string_lossy().into_owned());
        let part = parts.entry(top.unwrap_or_default()).or_default();
        *part = part.saturating_add(size);
    }
    let size = parts.values().fold(0, |sum: u64, size| sum.saturating_add(*size));
    let mut biggest: Vec<_> = parts.into_iter().map(|(name, size)| (name, ByteSize(size))).collect();
    biggest.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    biggest.truncate(BIGGEST);
    SourceError::TooLarge { size: ByteSize(size), limit, biggest }
}

/// The target of a link without `.` in it, or `None` when it can lead out of the workspace.
///
/// Only leading `..` are allowed: the folder a link is in is a real one, so those go where they say, while a `..`
/// behind a name could start from wherever a link of that name leads. As every link in the tree keeps this rule,
/// chains of links stay inside too.
fn contained_target(link: &Path, target: &Path) -> Option<PathBuf> {
    let mut depth = link.components().count() - 1;
    let mut contained = PathBuf::new();
    let mut went_down = false;
    for component in target.components() {
        match component {
            Component::CurDir => continue,
            Component::Normal(_) => went_down = true,
            Component::ParentDir if !went_down && depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
        contained.push(component);
    }
    Some(if contained.as_os_str().is_empty() { PathBuf::from(".") } else { contained })
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// Something was removed or replaced between being listed and looked at.
fn is_gone(error: &ignore::Error) -> bool {
    let kind = error.io_error().map(io::Error::kind);
    matches!(kind, Some(io::ErrorKind::NotFound | io::ErrorKind::NotADirectory))
}

fn walk_error(fallback: &Path, error: &ignore::Error) -> SourceError {
    let path = path_of(error).unwrap_or(fallback).to_owned();
    let source = error.io_error().map_or_else(|| io::Error::other(error.to_string()), copy);
    SourceError::Unreadable { path, source: Arc::new(source) }
}

fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        _ => None,
    }
}

fn copy(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::from(error.kind()), io::Error::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(link: &str, target: &str, expected: Option<&str>) {
        let contained = contained_target(Path::new(link), Path::new(target));
        assert_eq!(contained, expected.map(PathBuf::from), "{link} -> {target}");
    }

    #[test]
    fn only_links_that_stay_inside_are_kept() {
        check("a", "b", Some("b"));
        check("a", "./b/./c", Some("b/c"));
        check("d/a", "../b", Some("../b"));
        check("d/e/a", "../../b", Some("../../b"));
        check("d/a", "..", Some(".."));
        check("a", ".", Some("."));
        check("a", "..", None);
        check("d/a", "../../b", None);
        check("a", "/etc/passwd", None);
        check("a", "b/../../c", None);
        check("a", "b/../c", None);
    }

    #[test]
    fn workflow_files_are_yaml_below_workflows() {
        for (path, expected) in [
            (".workflows/a.yaml", true),
            (".workflows/deep/er/a.yml", true),
            (".workflows/a.json", false),
            (".workflows/yaml", false),
            ("a.yaml", false),
            (".workflows-old/a.yaml", false),
            ("sub/.workflows/a.yaml", false),
        ] {
            assert_eq!(is_workflow_file(Path::new(path)), expected, "{path}");
        }
    }
}
