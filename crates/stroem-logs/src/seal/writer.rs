//! Writes a sealed log front to back. Holds no chunk, only some bytes of index for each.

use std::io::{self, Write};

use super::{HEAD_BYTES, INDEX_BYTES_MAX, MAGIC, SealChunk, VERSION};
use crate::{crc, varint};

const COMPRESSION_LEVEL: i32 = 3;

/// Why a log cannot be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealWriteError {
    /// The writer refused.
    #[error("cannot write the sealed log")]
    Io(#[from] io::Error),
    /// Numbers must grow.
    #[error("chunk {chunk_no} cannot come here, chunk {expected} or a later one must")]
    OutOfOrder {
        /// The number that was refused.
        chunk_no: u64,
        /// The least that may follow.
        expected: u64,
    },
    /// The log has more chunks than an index can hold.
    #[error("the log has too many chunks to be sealed: its index is over {INDEX_BYTES_MAX} bytes")]
    TooManyChunks,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealSummary {
    /// How many chunks.
    pub chunks: u64,
    /// How many lines.
    pub lines: u64,
    /// Bytes of the whole file.
    pub bytes: u64,
}

/// Seals one job's log. Give it a buffered writer: each chunk is one write.
#[derive(Debug)]
pub struct SealWriter<W> {
    writer: W,
    entries: Vec<u8>,
    next_chunk_no: u64,
    last_at_micros: i64,
    summary: SealSummary,
}

impl<W: Write> SealWriter<W> {
    /// Begins the file.
    ///
    /// # Errors
    /// [`SealWriteError::Io`].
    pub fn new(mut writer: W) -> Result<Self, SealWriteError> {
        writer.write_all(MAGIC)?;
        writer.write_all(&[VERSION])?;
        let summary = SealSummary { chunks: 0, lines: 0, bytes: HEAD_BYTES };
        Ok(Self { writer, entries: Vec::new(), next_chunk_no: 0, last_at_micros: 0, summary })
    }

    /// Adds a chunk. Job-wide numbers must grow; they may have gaps.
    ///
    /// # Errors
    /// [`SealWriteError`]. After [`SealWriteError::Io`] the file is of no use.
    pub fn append(&mut self, chunk: &SealChunk<'_>) -> Result<(), SealWriteError> {
        let expected = self.next_chunk_no;
        let skipped = chunk
            .chunk_no
            .checked_sub(expected)
            .ok_or(SealWriteError::OutOfOrder { chunk_no: chunk.chunk_no, expected })?;
        let bytes = chunk.payload.len() as u64;
        let at = chunk.first_at.as_micros();
        varint::write(&mut self.entries, skipped);
        varint::write(&mut self.entries, u64::from(chunk.step));
        varint::write(&mut self.entries, u64::from(chunk.attempt.0));
        varint::write(&mut self.entries, u64::from(chunk.lines));
        varint::write_signed(&mut self.entries, at.wrapping_sub(self.last_at_micros));
        varint::write(&mut self.entries, bytes);
        if self.entries.len() + 10 > INDEX_BYTES_MAX {
            return Err(SealWriteError::TooManyChunks);
        }
        self.writer.write_all(chunk.payload)?;
        self.next_chunk_no = chunk.chunk_no.saturating_add(1);
        self.last_at_micros = at;
        self.summary.chunks += 1;
        self.summary.lines += u64::from(chunk.lines);
        self.summary.bytes += bytes;
        Ok(())
    }

    /// Ends the file and gives the writer back, flushed.
    ///
    /// # Errors
    /// [`SealWriteError::Io`].
    pub fn finish(mut self) -> Result<(W, SealSummary), SealWriteError> {
        let mut raw = Vec::with_capacity(self.entries.len() + 10);
        varint::write(&mut raw, self.summary.chunks);
        raw.extend_from_slice(&self.entries);
        let index = zstd::bulk::compress(&raw, COMPRESSION_LEVEL)?;
        let mut trailer = Vec::new();
        trailer.extend_from_slice(&self.summary.bytes.to_le_bytes());
        for length in [index.len(), raw.len()] {
            let length = u32::try_from(length).expect("an index has 32 MiB at most");
            trailer.extend_from_slice(&length.to_le_bytes());
        }
        let checksum = crc::checksum(&[&index, &trailer]);
        trailer.extend_from_slice(&checksum.to_le_bytes());
        trailer.extend_from_slice(MAGIC);
        trailer.push(VERSION);
        self.writer.write_all(&index)?;
        self.writer.write_all(&trailer)?;
        self.writer.flush()?;
        self.summary.bytes += (index.len() + trailer.len()) as u64;
        Ok((self.writer, self.summary))
    }
}
