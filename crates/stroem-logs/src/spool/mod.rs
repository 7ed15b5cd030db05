//! Records of one attempt that the server has not acknowledged yet: in memory while they are few and young, in
//! files when they are not. It must not know what is in a record.
//!
//! # What a crash leaves
//! A record is in memory after [`Spool::append`] and in a file after [`Spool::persist`], which also runs by
//! itself when the memory's budget is full. What is in a file survives the end of the process at any point: each
//! record has its length and a checksum, and [`Spool::open`] cuts off a record that was not written to its end.
//! Nothing is synced to the disk, so a power loss may take the last seconds; the same checksums then tell what
//! is left. Whoever must not lose a record to a `kill -9` of its own process sets `memory_bytes` to 0, or calls
//! [`Spool::persist`] as soon as the server does not answer at once.
//!
//! # What it costs
//! No system call at all while records are acknowledged before the memory's budget is full: the log of a small
//! step never meets the disk, not even as an empty directory. After that one write per batch of records, one
//! file per [`SpoolOptions::segment_bytes`], one small write per acknowledgement that ends inside a file, and one
//! unlink for a file that is acknowledged as a whole.

mod segment;

use std::{
    collections::VecDeque,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use bytes::Bytes;

use self::segment::{AckFile, HEADER_BYTES, Segment};

pub use self::segment::RECORD_BYTES_MAX;

/// Bytes that are put together for one write.
const WRITE_BATCH: usize = 256 << 10;

/// How much a spool keeps where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolOptions {
    /// A file that has this many bytes gets no more records.
    pub segment_bytes: u64,
    /// Records up to this many bytes in all wait in memory; 0 writes each one at once.
    pub memory_bytes: usize,
}

impl Default for SpoolOptions {
    fn default() -> Self {
        Self { segment_bytes: 8 << 20, memory_bytes: 256 << 10 }
    }
}

/// Why a spool cannot do what it should.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The file system refused. What was appended is still there, in memory if need be, and the call may be
    /// repeated.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Sequence numbers must grow.
    #[error("record {seq} cannot follow record {last}")]
    OutOfOrder {
        /// The number that was refused.
        seq: u64,
        /// The last one that was appended or acknowledged.
        last: u64,
    },
    /// The record is longer than [`RECORD_BYTES_MAX`].
    #[error("a record of {0} bytes is over the limit of {RECORD_BYTES_MAX}")]
    TooLarge(usize),
}

impl SpoolError {
    /// Whether the disk is full.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Io { source, .. }
            if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }
}

/// Where the next record of a sequential reader is, so that it need not be searched.
struct ReadPosition {
    seq: u64,
    segment: u64,
    offset: u64,
    file: File,
}

/// The records of one attempt. One owner at a time; nothing else may touch its directory.
pub struct Spool {
    dir: PathBuf,
    options: SpoolOptions,
    /// In files, the oldest first. The last one may get more records while `active` is its file.
    segments: VecDeque<Segment>,
    active: Option<File>,
    /// Not in files yet; all younger than those that are.
    memory: VecDeque<(u64, Bytes)>,
    memory_used: usize,
    last_seq: Option<u64>,
    acknowledged: Option<u64>,
    ack_file: Option<AckFile>,
    reader: Option<ReadPosition>,
    scratch: Vec<u8>,
    damaged_bytes: u64,
}

impl Spool {
    /// A new, empty one. The directory is made when the first record needs a file; it should not exist before.
    pub fn create(dir: impl Into<PathBuf>, options: SpoolOptions) -> Self {
        Self {
            dir: dir.into(),
            options,
            segments: VecDeque::new(),
            active: None,
            memory: VecDeque::new(),
            memory_used: 0,
            last_seq: None,
            acknowledged: None,
            ack_file: None,
            reader: None,
            scratch: Vec::new(),
            damaged_bytes: 0,
        }
    }

    /// What an earlier process left in a directory; empty when there is no directory.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub fn open(dir: impl Into<PathBuf>, options: SpoolOptions) -> Result<Self, SpoolError> {
        let mut spool = Self::create(dir, options);
        spool.segments = segment::list(&spool.dir)?;
        spool.acknowledged = segment::read_ack(&spool.dir)?;
        if let Some(last) = spool.segments.back_mut() {
            let (file, torn_bytes) = last.recover()?;
            spool.active = Some(file);
            spool.damaged_bytes = torn_bytes;
            if last.len == 0 {
                spool.active = None;
                spool.drop_last_segment()?;
            }
        }
        let in_files = spool.segments.back().and_then(|segment| segment.last_seq);
        spool.last_seq = in_files.max(spool.acknowledged);
        if let Some(through) = spool.acknowledged {
            spool.drop_segments(through)?;
        }
        Ok(spool)
    }

    /// Adds a record. Numbers must grow; they may have gaps.
    ///
    /// # Errors
    /// [`SpoolError::OutOfOrder`] and [`SpoolError::TooLarge`] refuse the record. After [`SpoolError::Io`] the
    /// record is kept in memory and written with a later one.
    pub fn append(&mut self, seq: u64, record: Bytes) -> Result<(), SpoolError> {
        if let Some(last) = self.last_seq.filter(|last| *last >= seq) {
            return Err(SpoolError::OutOfOrder { seq, last });
        }
        if record.len() > RECORD_BYTES_MAX {
            return Err(SpoolError::TooLarge(record.len()));
        }
        self.last_seq = Some(seq);
        self.memory_used += HEADER_BYTES + record.len();
        self.memory.push_back((seq, record));
        if self.memory_used > self.options.memory_bytes { self.persist() } else { Ok(()) }
    }

    /// Writes what is only in memory to files.
    ///
    /// # Errors
    /// [`SpoolError::Io`]; what could not be written stays in memory.
    pub fn persist(&mut self) -> Result<(), SpoolError> {
        while !self.memory.is_empty() {
            self.write_batch()?;
        }
        if self.scratch.capacity() > 2 * WRITE_BATCH {
            self.scratch = Vec::new();
        }
        Ok(())
    }

    /// Records from `from_seq` on, in order, up to `max_bytes` in all; at least one when there is any.
    /// Acknowledged ones are not given. Reading on where the last call ended is the fast way.
    ///
    /// # Errors
    /// [`SpoolError::Io`]. A damaged rest of a file is passed over and counted in [`Self::damaged_bytes`].
    pub fn read(&mut self, from_seq: u64, max_bytes: usize) -> Result<Vec<(u64, Bytes)>, SpoolError> {
        let mut from = from_seq.max(self.acknowledged.map_or(0, |through| through.saturating_add(1)));
        let mut records = Vec::new();
        let mut room = max_bytes;
        let first = self.segments.partition_point(|segment| segment.last_seq.is_some_and(|last| last < from));
        for index in first..self.segments.len() {
            let known = records.len();
            let complete = self.read_segment(index, from, room, &mut records)?;
            for (seq, record) in &records[known..] {
                room = room.saturating_sub(HEADER_BYTES + record.len());
                from = seq.saturating_add(1);
            }
            if !complete {
                return Ok(records);
            }
        }
        let first = self.memory.partition_point(|(seq, _)| *seq < from);
        for (seq, record) in self.memory.range(first..) {
            let bytes = HEADER_BYTES + record.len();
            if !records.is_empty() && bytes > room {
                break;
            }
            room = room.saturating_sub(bytes);
            records.push((*seq, record.clone()));
        }
        Ok(records)
    }

    /// Forgets all records up to and including `through_seq`. Earlier numbers than before change nothing.
    ///
    /// # Errors
    /// [`SpoolError::Io`]: the records are forgotten all the same, but an earlier acknowledgement may be found
    /// again after a crash.
    pub fn acknowledge(&mut self, through_seq: u64) -> Result<(), SpoolError> {
        if self.acknowledged.is_some_and(|before| before >= through_seq) {
            return Ok(());
        }
        self.acknowledged = Some(through_seq);
        self.last_seq = self.last_seq.max(self.acknowledged);
        while let Some((_, record)) = self.memory.pop_front_if(|(seq, _)| *seq <= through_seq) {
            self.memory_used -= HEADER_BYTES + record.len();
        }
        self.drop_segments(through_seq)?;
        if self.segments.front().is_some_and(|segment| segment.first_seq <= through_seq) {
            let file = match &mut self.ack_file {
                Some(file) => file,
                None => self.ack_file.insert(AckFile::create(&self.dir)?),
            };
            file.write(through_seq)?;
        }
        Ok(())
    }

    /// Whether every record is acknowledged.
    pub fn is_empty(&self) -> bool {
        self.memory.is_empty() && self.segments.is_empty()
    }

    /// The number of the last record that was appended or acknowledged, as far as it is known.
    pub const fn last_seq(&self) -> Option<u64> {
        self.last_seq
    }

    /// All records up to this one are acknowledged.
    pub const fn acknowledged(&self) -> Option<u64> {
        self.acknowledged
    }

    /// Bytes in memory.
    pub const fn memory_bytes(&self) -> usize {
        self.memory_used
    }

    /// Bytes in files.
    pub fn disk_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.len).sum()
    }

    /// Bytes in files that could not be read, after a crash or a failure of the disk.
    pub const fn damaged_bytes(&self) -> u64 {
        self.damaged_bytes
    }

    /// Deletes everything, the directory included.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub fn remove(self) -> Result<(), SpoolError> {
        match fs::remove_dir_all(&self.dir) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(SpoolError::Io { action: "remove", path: self.dir, source })
            }
            _ => Ok(()),
        }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes as many records as one write and one file take. They leave the memory when they are in the file, so
    /// a failed write is simply done again at the same place.
    fn write_batch(&mut self) -> Result<(), SpoolError> {
        let Some((first_seq, _)) = self.memory.front() else { return Ok(()) };
        if self.active.is_none()
            || self.segments.back().is_none_or(|last| last.len >= self.options.segment_bytes)
        {
            let (segment, file) = Segment::create(&self.dir, *first_seq)?;
            self.segments.push_back(segment);
            self.active = Some(file);
        }
        let (Some(segment), Some(file)) = (self.segments.back_mut(), &self.active) else { return Ok(()) };
        self.scratch.clear();
        let mut count = 0;
        let mut last_seq = *first_seq;
        for (seq, record) in &self.memory {
            let full = segment.len + self.scratch.len() as u64 >= self.options.segment_bytes;
            if count > 0 && (full || self.scratch.len() + record.len() > WRITE_BATCH) {
                break;
            }
            segment::write_record(&mut self.scratch, *seq, record);
            count += 1;
            last_seq = *seq;
        }
        segment.write(file, &self.scratch, last_seq)?;
        for (_, record) in self.memory.drain(..count) {
            self.memory_used -= HEADER_BYTES + record.len();
        }
        Ok(())
    }

    /// Reads from one file; false when there was no room for all that is in it.
    fn read_segment(
        &mut self,
        index: usize,
        from: u64,
        room: usize,
        records: &mut Vec<(u64, Bytes)>,
    ) -> Result<bool, SpoolError> {
        let segment = &self.segments[index];
        let known =
            self.reader.take().filter(|known| known.segment == segment.first_seq && known.seq <= from);
        let mut position = match known {
            Some(position) => position,
            None => ReadPosition { seq: 0, segment: segment.first_seq, offset: 0, file: segment.file()? },
        };
        let read = segment.read(&position.file, position.offset, from, room, records)?;
        if read.damaged {
            let segment = &mut self.segments[index];
            self.damaged_bytes += segment.len - read.end;
            segment.len = read.end;
        }
        position.offset = read.end;
        position.seq = records.last().map_or(from, |(seq, _)| seq.saturating_add(1)).max(position.seq);
        self.reader = Some(position);
        Ok(read.end == self.segments[index].len)
    }

    /// Deletes the files whose records are all acknowledged.
    fn drop_segments(&mut self, through: u64) -> Result<(), SpoolError> {
        while let Some(segment) =
            self.segments.pop_front_if(|segment| segment.last_seq.is_some_and(|last| last <= through))
        {
            if self.segments.is_empty() {
                self.active = None;
            }
            if self.reader.as_ref().is_some_and(|reader| reader.segment == segment.first_seq) {
                self.reader = None;
            }
            segment.delete()?;
        }
        Ok(())
    }

    fn drop_last_segment(&mut self) -> Result<(), SpoolError> {
        self.segments.pop_back().map_or(Ok(()), |segment| segment.delete())
    }
}

impl std::fmt::Debug for Spool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spool")
            .field("dir", &self.dir)
            .field("acknowledged", &self.acknowledged)
            .field("last_seq", &self.last_seq)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
