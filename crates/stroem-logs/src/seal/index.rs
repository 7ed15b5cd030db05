//! Reads the end of a sealed log. Safe on any bytes.

use std::ops::Range;

use stroem_core::{AttemptNumber, Timestamp};

use super::{HEAD_BYTES, INDEX_BYTES_MAX, MAGIC, SealError, TRAILER_BYTES, VERSION};
use crate::{crc, varint::Reader};

/// The least bytes of an entry.
const ENTRY_BYTES_MIN: u64 = 6;

/// Where a chunk is, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealEntry {
    /// Its job-wide number.
    pub chunk_no: u64,
    /// The step's index in the plan.
    pub step: u32,
    /// The attempt of the step.
    pub attempt: AttemptNumber,
    /// How many lines it has.
    pub lines: u32,
    /// When its first line was read.
    pub first_at: Timestamp,
    /// Where its payload begins in the file.
    pub offset: u64,
    /// Bytes of its payload.
    pub bytes: u32,
}

impl SealEntry {
    /// Where its payload is in the file.
    pub const fn range(&self) -> Range<u64> {
        self.offset..self.offset + self.bytes as u64
    }
}

/// What [`SealIndex::read`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealRead {
    /// The index.
    Complete(SealIndex),
    /// The index begins before the bytes that were given: call again with all from here to the end of the file.
    NeedsFrom(u64),
}

/// All chunks of a sealed log, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealIndex {
    entries: Vec<SealEntry>,
}

impl SealIndex {
    /// Reads the index from the last bytes of a file that has `file_bytes` in all. [`super::SEAL_TAIL_BYTES`], or
    /// the whole file when it is shorter, is mostly enough.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn read(tail: &[u8], file_bytes: u64) -> Result<SealRead, SealError> {
        let damaged = SealError::Damaged("its trailer contradicts its length");
        let (before, trailer) = tail.split_last_chunk::<TRAILER_BYTES>().ok_or(SealError::NotSealed)?;
        let (numbers, end) = trailer.split_at(TRAILER_BYTES - MAGIC.len() - 1);
        match end.split_last() {
            Some((&VERSION, magic)) if magic == MAGIC => {}
            Some((version, magic)) if magic == MAGIC => return Err(SealError::Version(*version)),
            _ => return Err(SealError::NotSealed),
        }
        let (numbers, checksum) = numbers.split_last_chunk::<4>().ok_or(SealError::NotSealed)?;
        let (offset, lengths) = numbers.split_first_chunk::<8>().ok_or(SealError::NotSealed)?;
        let (bytes, raw_bytes) = lengths.split_first_chunk::<4>().ok_or(SealError::NotSealed)?;
        let raw_bytes = raw_bytes.first_chunk::<4>().ok_or(SealError::NotSealed)?;
        let offset = u64::from_le_bytes(*offset);
        let bytes = u32::from_le_bytes(*bytes) as usize;
        let raw_bytes = u32::from_le_bytes(*raw_bytes) as usize;
        let ends = offset.checked_add((bytes + TRAILER_BYTES) as u64);
        if offset < HEAD_BYTES || ends != Some(file_bytes) || raw_bytes > INDEX_BYTES_MAX {
            return Err(damaged);
        }
        let Some(start) = before.len().checked_sub(bytes) else { return Ok(SealRead::NeedsFrom(offset)) };
        let index = &before[start..];
        if crc::checksum(&[index, numbers]) != u32::from_le_bytes(*checksum) {
            return Err(SealError::Damaged("its checksum differs"));
        }
        let raw = zstd::bulk::decompress(index, raw_bytes)
            .map_err(|_| SealError::Damaged("its index does not unpack"))?;
        let entries = entries(&raw, offset).ok_or(SealError::Damaged("its index contradicts its chunks"))?;
        Ok(SealRead::Complete(Self { entries }))
    }

    /// All chunks, in order.
    pub fn entries(&self) -> &[SealEntry] {
        &self.entries
    }

    /// The chunks from a job-wide number on.
    pub fn from_chunk(&self, chunk_no: u64) -> &[SealEntry] {
        &self.entries[self.entries.partition_point(|entry| entry.chunk_no < chunk_no)..]
    }

    /// How many lines the log has.
    pub fn lines(&self) -> u64 {
        self.entries.iter().map(|entry| u64::from(entry.lines)).sum()
    }
}

fn entries(raw: &[u8], index_offset: u64) -> Option<Vec<SealEntry>> {
    let mut reader = Reader(raw);
    let count = reader.unsigned()?;
    if count > raw.len() as u64 / ENTRY_BYTES_MIN {
        return None;
    }
    let mut entries = Vec::with_capacity(count as usize);
    let mut next_chunk_no = 0_u64;
    let mut micros = 0_i64;
    let mut offset = HEAD_BYTES;
    for index in 0..count {
        let chunk_no = next_chunk_no.checked_add(reader.unsigned()?)?;
        let step = reader.unsigned_32()?;
        let attempt = AttemptNumber(reader.unsigned_32()?);
        let lines = reader.unsigned_32()?;
        micros = micros.wrapping_add(reader.signed()?);
        let bytes = reader.unsigned_32()?;
        let first_at = Timestamp::from_micros(micros);
        entries.push(SealEntry { chunk_no, step, attempt, lines, first_at, offset, bytes });
        if index + 1 < count {
            next_chunk_no = chunk_no.checked_add(1)?;
        }
        offset = offset.checked_add(u64::from(bytes))?;
    }
    (reader.0.is_empty() && offset == index_offset).then_some(entries)
}
