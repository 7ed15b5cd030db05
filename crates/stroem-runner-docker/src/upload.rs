//! What a script needs, as an archive that the engine unpacks in the container: made while it is sent, so that a large
//! workspace is never in memory.

use std::{
    fs, io,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};
use tokio::sync::mpsc;

/// Parts of the archive that wait to be sent.
const PARTS: usize = 4;
const PART_BYTES: usize = 256 << 10;

/// Who owns everything in an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Owner {
    pub(crate) uid: u64,
    pub(crate) gid: u64,
}

/// A file of ours.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: Vec<u8>,
}

/// What an archive holds; paths are relative to where it is unpacked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Contents {
    pub(crate) owner: Owner,
    pub(crate) directories: Vec<String>,
    pub(crate) files: Vec<File>,
    /// A directory of this host and where it goes.
    pub(crate) tree: Option<(PathBuf, String)>,
}

/// The archive's bytes, made by a thread of its own while they are taken.
pub(crate) fn archive(contents: Contents) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let (sender, parts) = mpsc::channel(PARTS);
    // It ends by itself when the stream is dropped or everything is written.
    drop(tokio::task::spawn_blocking(move || {
        let mut pipe = Pipe { sender, part: BytesMut::with_capacity(PART_BYTES) };
        let written = write(&contents, &mut pipe).and_then(|()| pipe.flush());
        if let Err(error) = written {
            // Nobody takes it any more, or the engine now sees an archive that breaks off.
            let _ = pipe.sender.blocking_send(Err(error));
        }
    }));
    stream::unfold(parts, |mut parts| async move { parts.recv().await.map(|part| (part, parts)) })
}

struct Pipe {
    sender: mpsc::Sender<io::Result<Bytes>>,
    part: BytesMut,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len().min(PART_BYTES - self.part.len());
        self.part.extend_from_slice(&bytes[..length]);
        if self.part.len() == PART_BYTES {
            self.flush()?;
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.part.is_empty() {
            return Ok(());
        }
        let part = std::mem::replace(&mut self.part, BytesMut::with_capacity(PART_BYTES)).freeze();
        self.sender.blocking_send(Ok(part)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

fn write(contents: &Contents, to: &mut Pipe) -> io::Result<()> {
    let mut archive = Archive { builder: tar::Builder::new(to), owner: contents.owner };
    for path in &contents.directories {
        archive.directory(path, 0o755, 0)?;
    }
    for file in &contents.files {
        let mut header = archive.header(tar::EntryType::Regular, 0o644, 0);
        header.set_size(file.text.len() as u64);
        archive.builder.append_data(&mut header, &file.path, file.text.as_slice())?;
    }
    if let Some((from, path)) = &contents.tree {
        archive.tree(from, Path::new(path))?;
    }
    archive.builder.finish()
}

struct Archive<'a> {
    builder: tar::Builder<&'a mut Pipe>,
    owner: Owner,
}

impl Archive<'_> {
    fn header(&self, kind: tar::EntryType, mode: u32, modified_secs: u64) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(self.owner.uid);
        header.set_gid(self.owner.gid);
        header.set_mtime(modified_secs);
        header.set_size(0);
        header
    }

    fn directory(&mut self, path: impl AsRef<Path>, mode: u32, modified_secs: u64) -> io::Result<()> {
        let mut header = self.header(tar::EntryType::Directory, mode, modified_secs);
        self.builder.append_data(&mut header, path, io::empty())
    }

    /// A directory and everything below it. The owner may write to all of it, whatever it was: it is a copy.
    fn tree(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let mut open = vec![(from.to_owned(), to.to_owned())];
        while let Some((from, to)) = open.pop() {
            for entry in fs::read_dir(&from)? {
                let entry = entry?;
                let (from, to) = (entry.path(), to.join(entry.file_name()));
                let meta = entry.metadata()?;
                let modified = meta.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
                let modified_secs = modified.map_or(0, |since| since.as_secs());
                let mode = meta.permissions().mode() & 0o777;
                if meta.is_dir() {
                    self.directory(&to, mode | 0o700, modified_secs)?;
                    open.push((from, to));
                } else if meta.is_symlink() {
                    let mut header = self.header(tar::EntryType::Symlink, 0o777, modified_secs);
                    self.builder.append_link(&mut header, &to, fs::read_link(&from)?)?;
                } else if meta.is_file() {
                    let mut header = self.header(tar::EntryType::Regular, mode | 0o200, modified_secs);
                    header.set_size(meta.len());
                    self.builder.append_data(&mut header, &to, fs::File::open(&from)?)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use futures_util::TryStreamExt;

    use super::*;

    #[tokio::test]
    async fn an_archive_holds_files_links_and_their_owner() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join("sub")).expect("made");
        fs::write(dir.path().join("sub/large"), vec![7; PART_BYTES + 1]).expect("written");
        fs::set_permissions(dir.path().join("sub/large"), fs::Permissions::from_mode(0o555)).expect("set");
        std::os::unix::fs::symlink("sub/large", dir.path().join("link")).expect("linked");
        let contents = Contents {
            owner: Owner { uid: 7, gid: 8 },
            directories: vec![".stroem".to_owned(), "workspace".to_owned()],
            files: vec![File { path: ".stroem/run.sh".to_owned(), text: b"true".to_vec() }],
            tree: Some((dir.path().to_owned(), "workspace".to_owned())),
        };
        let parts: Vec<Bytes> = archive(contents).try_collect().await.expect("an archive");
        let bytes = parts.concat();
        let mut found = Vec::new();
        for entry in tar::Archive::new(bytes.as_slice()).entries().expect("entries") {
            let mut entry = entry.expect("an entry");
            let path = entry.path().expect("a path").display().to_string();
            let header = entry.header();
            assert_eq!((header.uid().expect("set"), header.gid().expect("set")), (7, 8), "{path}");
            let mode = header.mode().expect("set");
            let mut text = Vec::new();
            entry.read_to_end(&mut text).expect("read");
            found.push(format!("{path} {mode:o} {}", text.len()));
        }
        found.sort();
        let expected = [
            ".stroem 755 0",
            ".stroem/run.sh 644 4",
            "workspace 755 0",
            "workspace/link 777 0",
            "workspace/sub 755 0",
            "workspace/sub/large 755 262145",
        ];
        assert_eq!(found, expected);
    }

    #[tokio::test]
    async fn a_tree_that_is_not_there_breaks_the_archive_off() {
        let tree = Some((PathBuf::from("/nonexistent"), "workspace".to_owned()));
        let parts: Result<Vec<Bytes>, _> =
            archive(Contents { tree, ..Contents::default() }).try_collect().await;
        assert_eq!(parts.expect_err("nothing there").kind(), io::ErrorKind::NotFound);
    }
}
