//! The files of a spool. A segment is named by its first record's number, `0000000000000012.seg` in hexadecimal,
//! and holds records `length:u32le crc32:u32le seq:u64le bytes`; the checksum covers number and bytes. `ack` holds
//! `seq:u64le crc32:u32le`, overwritten in place: twelve bytes of one page are never half written by a process
//! that is killed.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::SpoolError;
use crate::crc;

/// The longest record, in bytes.
pub const RECORD_BYTES_MAX: usize = 16 << 20;
/// What stands before each record.
pub(super) const HEADER_BYTES: usize = 16;
/// The least that is read at once.
const READ_BATCH: usize = 64 << 10;
const ENDING: &str = ".seg";
const ACK: &str = "ack";

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SpoolError {
    let path = path.to_owned();
    move |source| SpoolError::Io { action, path, source }
}

/// One file of records.
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) first_seq: u64,
    /// At least the number of its last record, and below the next file's first. None while it has no record.
    pub(super) last_seq: Option<u64>,
    /// Its bytes that are records.
    pub(super) len: u64,
}

/// What [`Segment::read`] did.
pub(super) struct Read {
    /// Where the next record begins.
    pub(super) end: u64,
    /// Whether what stands there is no record.
    pub(super) damaged: bool,
}

impl Segment {
    pub(super) fn create(dir: &Path, first_seq: u64) -> Result<(Self, File), SpoolError> {
        let path = dir.join(format!("{first_seq:016x}{ENDING}"));
        let open = || OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        let file = open().or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => fs::create_dir_all(dir).and_then(|()| open()),
            _ => Err(error),
        });
        let file = file.map_err(failed("create", &path))?;
        Ok((Self { path, first_seq, last_seq: None, len: 0 }, file))
    }

    pub(super) fn file(&self) -> Result<File, SpoolError> {
        File::open(&self.path).map_err(failed("open", &self.path))
    }

    /// Adds records at the end. After a failure the file may be longer than `len`; the next write goes over it.
    pub(super) fn write(&mut self, file: &File, records: &[u8], last_seq: u64) -> Result<(), SpoolError> {
        file.write_all_at(records, self.len).map_err(failed("write", &self.path))?;
        self.len += records.len() as u64;
        self.last_seq = Some(last_seq);
        Ok(())
    }

    /// Finds the end of the records in the file that was written last, and cuts off what stands behind it. Gives
    /// the file for more records, and how many bytes were cut off.
    pub(super) fn recover(&mut self) -> Result<(File, u64), SpoolError> {
        let file =
            OpenOptions::new().read(true).write(true).open(&self.path).map_err(failed("open", &self.path))?;
        let mut end = 0;
        self.last_seq = None;
        loop {
            let mut records = Vec::new();
            let read = self.read(&file, end, 0, 1 << 20, &mut records)?;
            end = read.end;
            self.last_seq = records.last().map(|(seq, _)| *seq).or(self.last_seq);
            if read.damaged || end == self.len {
                break;
            }
        }
        let torn_bytes = self.len - end;
        if torn_bytes > 0 {
            file.set_len(end).map_err(failed("truncate", &self.path))?;
        }
        self.len = end;
        Ok((file, torn_bytes))
    }

    /// Reads records whose number is at least `from`, beginning with the record at `offset`, up to `room` bytes;
    /// at least one when there is one and none is known yet.
    pub(super) fn read(
        &self,
        file: &File,
        offset: u64,
        from: u64,
        room: usize,
        records: &mut Vec<(u64, Bytes)>,
    ) -> Result<Read, SpoolError> {
        let (mut end, mut taken) = (offset, 0);
        let mut least = READ_BATCH.max(room.min(RECORD_BYTES_MAX));
        while end < self.len {
            let window = self.window(file, end, least)?;
            let mut at = 0;
            let wanted = loop {
                match parse(&window[at..]) {
                    Parsed::Record { seq, length } => {
                        let next = at + HEADER_BYTES + length;
                        if seq >= from {
                            if !records.is_empty() && taken + next - at > room {
                                return Ok(Read { end: end + at as u64, damaged: false });
                            }
                            taken += next - at;
                            records.push((seq, window.slice(at + HEADER_BYTES..next)));
                        }
                        at = next;
                    }
                    Parsed::Short { needed } => break needed,
                    Parsed::Damaged => return Ok(Read { end: end + at as u64, damaged: true }),
                }
            };
            end += at as u64;
            if end < self.len && end + wanted as u64 > self.len {
                return Ok(Read { end, damaged: true });
            }
            if taken >= room {
                break;
            }
            least = READ_BATCH.max(wanted);
        }
        Ok(Read { end, damaged: false })
    }

    pub(super) fn delete(self) -> Result<(), SpoolError> {
        match fs::remove_file(&self.path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(SpoolError::Io { action: "remove", path: self.path, source })
            }
            _ => Ok(()),
        }
    }

    fn window(&self, file: &File, offset: u64, least: usize) -> Result<Bytes, SpoolError> {
        let length = (self.len - offset).min(least as u64) as usize;
        let mut window = vec![0; length];
        file.read_exact_at(&mut window, offset).map_err(failed("read", &self.path))?;
        Ok(Bytes::from(window))
    }
}

pub(super) fn write_record(out: &mut Vec<u8>, seq: u64, record: &[u8]) {
    let length = u32::try_from(record.len()).expect("append refuses records over 16 MiB");
    let number = seq.to_le_bytes();
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&crc::checksum(&[&number, record]).to_le_bytes());
    out.extend_from_slice(&number);
    out.extend_from_slice(record);
}

enum Parsed {
    Record {
        seq: u64,
        length: usize,
    },
    /// More bytes are needed to tell: this many from the record's beginning.
    Short {
        needed: usize,
    },
    Damaged,
}

fn parse(bytes: &[u8]) -> Parsed {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Parsed::Short { needed: HEADER_BYTES };
    };
    let [a, b, c, d, e, f, g, h, number @ ..] = *header;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    if length > RECORD_BYTES_MAX {
        return Parsed::Damaged;
    }
    match rest.get(..length) {
        None => Parsed::Short { needed: HEADER_BYTES + length },
        Some(record) if crc::checksum(&[&number, record]) == u32::from_le_bytes([e, f, g, h]) => {
            Parsed::Record { seq: u64::from_le_bytes(number), length }
        }
        Some(_) => Parsed::Damaged,
    }
}

/// The segments of a directory, in order. All but the last one are taken to be complete.
pub(super) fn list(dir: &Path) -> Result<VecDeque<Segment>, SpoolError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(VecDeque::new()),
        Err(error) => return Err(failed("read", dir)(error)),
    };
    let mut segments = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed("read", dir))?;
        let name = entry.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(ENDING));
        let Some(first_seq) = stem.and_then(|stem| u64::from_str_radix(stem, 16).ok()) else { continue };
        let path = entry.path();
        let len = entry.metadata().map_err(failed("read", &path))?.len();
        segments.push(Segment { path, first_seq, last_seq: None, len });
    }
    segments.sort_unstable_by_key(|segment| segment.first_seq);
    for index in 1..segments.len() {
        segments[index - 1].last_seq = Some(segments[index].first_seq.saturating_sub(1));
    }
    Ok(segments.into())
}

/// The acknowledgement that an earlier process left.
pub(super) fn read_ack(dir: &Path) -> Result<Option<u64>, SpoolError> {
    let path = dir.join(ACK);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", &path)(error)),
    };
    // Without a valid one, records are given again; the server knows them by their numbers.
    let valid =
        bytes.split_first_chunk::<8>().filter(|(seq, crc)| *crc == crc::checksum(&[*seq]).to_le_bytes());
    Ok(valid.map(|(seq, _)| u64::from_le_bytes(*seq)))
}

/// Keeps the acknowledgement.
pub(super) struct AckFile {
    path: PathBuf,
    file: File,
}

impl AckFile {
    pub(super) fn create(dir: &Path) -> Result<Self, SpoolError> {
        let path = dir.join(ACK);
        let open = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = open.map_err(failed("create", &path))?;
        Ok(Self { path, file })
    }

    pub(super) fn write(&self, seq: u64) -> Result<(), SpoolError> {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&seq.to_le_bytes());
        bytes[8..].copy_from_slice(&crc::checksum(&[&seq.to_le_bytes()]).to_le_bytes());
        self.file.write_all_at(&bytes, 0).map_err(failed("write", &self.path))
    }
}
