//! The tarball of a workspace and its revision, computed from the same bytes.
//!
//! The tarball is deterministic: entries sorted by the bytes of their path, no owner, no time, modes 0644 or 0755.
//! The revision does not depend on how tar or zstd write it: it is the SHA-256 of `stroem-folder-1\n` and, per entry
//! in that order, a kind byte (`d` folder, `f` file, `x` executable file, `l` link), the length of the path as
//! eight bytes little-endian, the path, the length of the content (file) or target (link) likewise, zero for a
//! folder, and the SHA-256 of the content or target, of nothing for a folder.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter, Write},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest as _, Sha256};
use stroem_core::Revision;
use tar::{EntryType, Header};
use tempfile::NamedTempFile;

use super::{
    read::{Content, ContentHash, FileFacts, Root},
    scan::{Kind, Scan, Stamp, too_large},
};
use crate::{FolderOptions, SourceError};

/// Fast enough to keep up with the disk, and small enough.
const ZSTD_LEVEL: i32 = 1;
/// Bytes written to the disk at once.
const BUFFER_BYTES: usize = 256 << 10;

/// What is known about all files, by path.
pub(super) type Facts = BTreeMap<PathBuf, FileFacts>;

/// How packing ended.
pub(super) enum Packed {
    Done {
        revision: Revision,
        facts: Facts,
    },
    /// A file of the scan is not there any more.
    Vanished(PathBuf),
}

/// Where the tarball of a revision is.
pub(super) fn tarball_path(options: &FolderOptions, revision: &Revision) -> PathBuf {
    options.tarball_dir.join(format!("{revision}.tar.zst"))
}

/// The revision of a scan whose files are all known; `None` when one is not.
pub(super) fn revision_of(scan: &Scan, facts: &Facts) -> Option<Revision> {
    let mut hasher = RevisionHasher::new();
    for entry in &scan.entries {
        match &entry.kind {
            Kind::Folder => hasher.folder(&entry.path),
            Kind::File(_) => hasher.file(&entry.path, facts.get(&entry.path)?),
            Kind::Link { target } => hasher.link(&entry.path, target),
        }
    }
    Some(hasher.finish())
}

/// Writes the tarball of a scan under the name of what it contains.
pub(super) fn pack(options: &FolderOptions, scan: &Scan) -> Result<Packed, SourceError> {
    let root = Root::open(&scan.root)?;
    let cannot_write =
        |source| SourceError::Tarball { path: options.tarball_dir.clone(), source: Arc::new(source) };
    let file = new_tarball(options).map_err(cannot_write)?;
    let mut tarball = Tarball::new(file).map_err(cannot_write)?;
    let mut hasher = RevisionHasher::new();
    let mut facts = Facts::new();
    let mut left_bytes = options.limit.as_bytes();
    for entry in &scan.entries {
        let path = &entry.path;
        match &entry.kind {
            Kind::Folder => {
                hasher.folder(path);
                tarball.add_folder(path).map_err(cannot_write)?;
            }
            Kind::Link { target } => {
                hasher.link(path, target);
                tarball.add_link(path, target).map_err(cannot_write)?;
            }
            Kind::File(_) => {
                let copied = root.copy(path, left_bytes, &options.tarball_dir)?;
                let Some((content, known)) = copied else { return Ok(Packed::Vanished(path.clone())) };
                facts.insert(path.clone(), known);
                let known = &facts[path];
                let Some(left) = left_bytes.checked_sub(content.size_bytes()) else {
                    let files = facts.iter().map(|(path, known)| (path.as_path(), known.stamp.size_bytes));
                    return Err(too_large(files, options.limit));
                };
                left_bytes = left;
                hasher.file(path, known);
                tarball.add_file(path, known.stamp, content).map_err(cannot_write)?;
            }
        }
    }
    let revision = hasher.finish();
    tarball.finish(&tarball_path(options, &revision)).map_err(cannot_write)?;
    Ok(Packed::Done { revision, facts })
}

/// Removes what a crashed process of this workspace left in the folder for tarballs.
pub(super) fn remove_leftovers(options: &FolderOptions) -> io::Result<()> {
    let prefix = unfinished_prefix(options);
    for entry in std::fs::read_dir(&options.tarball_dir)? {
        let entry = entry?;
        if entry.file_name().as_bytes().starts_with(prefix.as_bytes()) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn new_tarball(options: &FolderOptions) -> io::Result<NamedTempFile> {
    std::fs::create_dir_all(&options.tarball_dir)?;
    tempfile::Builder::new().prefix(&unfinished_prefix(options)).tempfile_in(&options.tarball_dir)
}

/// Workspaces may share a folder for tarballs, so unfinished ones carry whose they are.
fn unfinished_prefix(options: &FolderOptions) -> String {
    let owner = Sha256::digest(options.path.as_os_str().as_bytes());
    format!(".unfinished-{}-", hex::encode(&owner[..8]))
}

struct RevisionHasher(Sha256);

impl RevisionHasher {
    fn new() -> Self {
        Self(Sha256::new_with_prefix("stroem-folder-1\n"))
    }

    fn folder(&mut self, path: &Path) {
        self.entry(b'd', path, 0, &Sha256::digest(b"").into());
    }

    fn file(&mut self, path: &Path, known: &FileFacts) {
        let kind = if known.stamp.executable { b'x' } else { b'f' };
        self.entry(kind, path, known.stamp.size_bytes, &known.hash);
    }

    fn link(&mut self, path: &Path, target: &Path) {
        let target = target.as_os_str().as_bytes();
        self.entry(b'l', path, target.len() as u64, &Sha256::digest(target).into());
    }

    fn entry(&mut self, kind: u8, path: &Path, size_bytes: u64, hash: &ContentHash) {
        let path = path.as_os_str().as_bytes();
        self.0.update([kind]);
        self.0.update((path.len() as u64).to_le_bytes());
        self.0.update(path);
        self.0.update(size_bytes.to_le_bytes());
        self.0.update(hash);
    }

    fn finish(self) -> Revision {
        hex::encode(self.0.finalize()).parse().expect("a SHA-256 in hex is a revision")
    }
}

struct Tarball {
    file: NamedTempFile,
    tar: tar::Builder<zstd::Encoder<'static, BufWriter<File>>>,
}

impl Tarball {
    fn new(file: NamedTempFile) -> io::Result<Self> {
        let writer = BufWriter::with_capacity(BUFFER_BYTES, file.reopen()?);
        let mut encoder = zstd::Encoder::new(writer, ZSTD_LEVEL)?;
        encoder.include_checksum(true)?;
        Ok(Self { file, tar: tar::Builder::new(encoder) })
    }

    fn add_folder(&mut self, path: &Path) -> io::Result<()> {
        self.tar.append_data(&mut header(EntryType::Directory, 0o755, 0), path.join(""), io::empty())
    }

    fn add_link(&mut self, path: &Path, target: &Path) -> io::Result<()> {
        self.tar.append_link(&mut header(EntryType::Symlink, 0o777, 0), path, target)
    }

    fn add_file(&mut self, path: &Path, stamp: Stamp, content: Content) -> io::Result<()> {
        let mode = if stamp.executable { 0o755 } else { 0o644 };
        let mut header = header(EntryType::Regular, mode, content.size_bytes());
        match content {
            Content::Memory(bytes) => self.tar.append_data(&mut header, path, bytes.as_slice()),
            Content::Spooled { file, .. } => self.tar.append_data(&mut header, path, file),
        }
    }

    /// Brings everything to the disk, then gives it its name.
    fn finish(self, path: &Path) -> io::Result<()> {
        let mut writer = self.tar.into_inner()?.finish()?;
        writer.flush()?;
        writer.get_ref().sync_all()?;
        self.file.persist(path)?;
        match path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}

fn header(kind: EntryType, mode: u32, size_bytes: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size_bytes);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}
