//! A `tar.zst` as it arrives to a directory that appears whole or not at all. Nothing is written outside of it,
//! whatever the archive says.

use std::{
    fs, io,
    io::Read,
    path::{Component, Path, PathBuf},
};

use bytes::Bytes;
use stroem_core::limits;
use tar::{Archive, EntryType};
use tokio::sync::mpsc;

use super::{Place, evict};

/// A part of the archive.
pub(super) enum Piece {
    Bytes(Bytes),
    End,
}

/// Unpacks what the channel brings. When another worker was faster, its result is left alone.
pub(super) fn unpack(root: &Path, place: &Place, pieces: mpsc::Receiver<Piece>) -> io::Result<()> {
    let part = evict::part(root, &place.files);
    let done = unpack_to(&part, pieces).and_then(|bytes| publish(&part, place, bytes));
    if part.exists()
        && let Err(error) = fs::remove_dir_all(&part)
    {
        tracing::warn!(%error, "a half unpacked workspace cannot be removed");
    }
    done
}

fn publish(part: &Path, place: &Place, bytes: u64) -> io::Result<()> {
    if let Some(folder) = place.files.parent() {
        fs::create_dir_all(folder)?;
    }
    match fs::rename(part, &place.files) {
        Err(error)
            if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) => {}
        renamed => renamed?,
    }
    // Written aside, so that a size is never seen half written.
    let aside = part.with_extension("size");
    fs::write(&aside, bytes.to_string())?;
    fs::rename(&aside, &place.size)
}

fn unpack_to(part: &Path, pieces: mpsc::Receiver<Piece>) -> io::Result<u64> {
    fs::create_dir_all(part)?;
    let mut stream = Pieces { pieces, rest: Bytes::new(), ended: false };
    let mut archive = Archive::new(zstd::Decoder::new(&mut stream)?);
    archive.set_preserve_mtime(false);
    let (mut bytes, mut count) = (0_u64, 0_usize);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        check(&path, entry.header().entry_type())?;
        count += 1;
        bytes = bytes.saturating_add(entry.size());
        if count > limits::WORKSPACE_FILES || bytes > limits::WORKSPACE.as_bytes() {
            return Err(refused(format!(
                "it is over the limit of {} or {} files",
                limits::WORKSPACE,
                limits::WORKSPACE_FILES
            )));
        }
        if !entry.unpack_in(part)? {
            return Err(refused(format!("`{}` lies outside of it", path.display())));
        }
    }
    // What follows the archive's end belongs to the compression; reading it tells a cut stream from a whole one.
    io::copy(&mut archive.into_inner(), &mut io::sink())?;
    Ok(bytes)
}

/// Only what a workspace holds, and only inside of it.
fn check(path: &Path, kind: EntryType) -> io::Result<()> {
    if !path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(refused(format!("`{}` lies outside of it", path.display())));
    }
    match kind {
        EntryType::Regular | EntryType::Directory | EntryType::Symlink => Ok(()),
        other => Err(refused(format!("`{}` is neither file, folder nor link ({other:?})", path.display()))),
    }
}

fn refused(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// The channel as a stream. One that ends without its end is an error, never a short archive.
struct Pieces {
    pieces: mpsc::Receiver<Piece>,
    rest: Bytes,
    ended: bool,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() && !self.ended {
            match self.pieces.blocking_recv() {
                Some(Piece::Bytes(bytes)) => self.rest = bytes,
                Some(Piece::End) => self.ended = true,
                None => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the download broke")),
            }
        }
        let taken = self.rest.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&self.rest.split_to(taken));
        Ok(taken)
    }
}

/// Kept for names of directories that are not finished.
pub(super) fn part_name(target: &Path, unique: u64) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    PathBuf::from(format!("{}{}-{unique}-{name}", evict::PART, std::process::id()))
}
