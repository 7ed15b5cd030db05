//! The bytes of a chunk, version 1:
//!
//! ```text
//! 'L' version:u8 crc32:u32le                          the checksum covers all that follows
//! coding:u8 (0 as it is, 1 zstd)
//! lines raw_bytes first_at last_at-first_at body_len  varints, times in microseconds
//! body, coded                                         body_len is its length uncoded
//!
//! body = metas_len:varint, metas, texts
//! meta = varint(length << 3 | stream << 1 | continued), varint(time since the line before)
//! ```
//!
//! Times and flags stand apart from the texts because both pack better that way. Stored chunks live as long as
//! logs are kept: a change needs a new version and a golden file, and this one must stay readable.

use bytes::Bytes;
use stroem_core::Timestamp;
use zstd::bulk::Compressor;

use super::{CHUNK_LINES_MAX, CHUNK_RAW_BYTES_MAX, ChunkError, LogLine, LogStream};
use crate::{
    crc,
    varint::{self, Reader},
};

const MAGIC: u8 = b'L';
const VERSION: u8 = 1;
const PREFIX_BYTES: usize = 6;
const CODING_PLAIN: u8 = 0;
const CODING_ZSTD: u8 = 1;
/// Shorter bodies are kept as they are: most chunks of a quiet step are one line.
const COMPRESSED_BODY_MIN: usize = 160;
/// Fast enough to keep up with any pipe; higher levels gain little on log lines.
const COMPRESSION_LEVEL: i32 = 1;
/// The most bytes of a line's meta, two varints.
const META_BYTES_MAX: u64 = 20;

/// What a chunk says about itself before its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) lines: u32,
    pub(super) raw_bytes: u64,
    pub(super) first_at: Timestamp,
    pub(super) last_at: Timestamp,
    coding: u8,
    body_bytes: usize,
}

impl Header {
    pub(super) fn read(payload: &[u8]) -> Result<(Self, &[u8]), ChunkError> {
        let (prefix, rest) = payload.split_first_chunk::<PREFIX_BYTES>().ok_or(ChunkError::NotAChunk)?;
        let [magic, version, crc @ ..] = *prefix;
        match (magic, version) {
            (MAGIC, VERSION) => {}
            (MAGIC, other) => return Err(ChunkError::Version(other)),
            _ => return Err(ChunkError::NotAChunk),
        }
        if crc::checksum(&[rest]) != u32::from_le_bytes(crc) {
            return Err(ChunkError::Damaged("its checksum differs"));
        }
        let header = ChunkError::Damaged("its header is cut off");
        let (coding, rest) = rest.split_first().ok_or(header)?;
        let mut reader = Reader(rest);
        let lines = reader.unsigned_32().ok_or(header)?;
        let raw_bytes = reader.unsigned().ok_or(header)?;
        let first_at = reader.signed().ok_or(header)?;
        let last_at = first_at.wrapping_add(reader.signed().ok_or(header)?);
        let body_bytes = reader.unsigned().ok_or(header)?;
        if lines > CHUNK_LINES_MAX || raw_bytes > CHUNK_RAW_BYTES_MAX {
            return Err(ChunkError::TooLarge);
        }
        if lines == 0
            || u64::from(lines) > raw_bytes
            || body_bytes > raw_bytes + META_BYTES_MAX * u64::from(lines)
        {
            return Err(ChunkError::Damaged("its sizes contradict each other"));
        }
        let header = Self {
            lines,
            raw_bytes,
            first_at: Timestamp::from_micros(first_at),
            last_at: Timestamp::from_micros(last_at),
            coding: *coding,
            body_bytes: body_bytes as usize,
        };
        Ok((header, reader.0))
    }
}

/// Packs chunks, one after the other, in buffers that are kept. Empty ones cost nothing.
#[derive(Default)]
pub(super) struct Encoder {
    compressor: Option<Compressor<'static>>,
    body: Vec<u8>,
    coded: Vec<u8>,
}

/// The parts of a chunk before they are packed.
pub(super) struct Parts<'a> {
    pub(super) lines: u32,
    pub(super) raw_bytes: u64,
    pub(super) first_at: Timestamp,
    pub(super) last_at: Timestamp,
    pub(super) metas: &'a [u8],
    pub(super) texts: &'a [u8],
}

impl Encoder {
    pub(super) fn encode(&mut self, parts: &Parts<'_>) -> Bytes {
        self.body.clear();
        varint::write(&mut self.body, parts.metas.len() as u64);
        self.body.extend_from_slice(parts.metas);
        self.body.extend_from_slice(parts.texts);
        let compressed = self.body.len() >= COMPRESSED_BODY_MIN && self.compress();
        let (coding, coded) =
            if compressed { (CODING_ZSTD, &self.coded) } else { (CODING_PLAIN, &self.body) };

        let mut out = Vec::with_capacity(coded.len() + 48);
        out.extend_from_slice(&[MAGIC, VERSION, 0, 0, 0, 0, coding]);
        varint::write(&mut out, u64::from(parts.lines));
        varint::write(&mut out, parts.raw_bytes);
        let (first, last) = (parts.first_at.as_micros(), parts.last_at.as_micros());
        varint::write_signed(&mut out, first);
        varint::write_signed(&mut out, last.wrapping_sub(first));
        varint::write(&mut out, self.body.len() as u64);
        out.extend_from_slice(coded);
        let crc = crc::checksum(&[&out[PREFIX_BYTES..]]);
        out[2..PREFIX_BYTES].copy_from_slice(&crc.to_le_bytes());
        // The spare capacity would be kept as long as the chunk is.
        out.shrink_to_fit();
        Bytes::from(out)
    }

    /// Compresses the body; false when it does not get smaller, or the compressor cannot have its memory.
    fn compress(&mut self) -> bool {
        let compressor = match &mut self.compressor {
            Some(compressor) => compressor,
            None => match Compressor::new(COMPRESSION_LEVEL) {
                Ok(compressor) => self.compressor.insert(compressor),
                Err(_) => return false,
            },
        };
        self.coded.clear();
        self.coded.reserve(zstd::zstd_safe::compress_bound(self.body.len()));
        matches!(compressor.compress_to_buffer(&self.body, &mut self.coded), Ok(length) if length < self.body.len())
    }

    /// Bytes that its buffers hold.
    pub(super) fn capacity(&self) -> usize {
        self.body.capacity() + self.coded.capacity()
    }

    /// Gives memory back after an unusually large chunk.
    pub(super) fn shrink(&mut self, most: usize) {
        for buffer in [&mut self.body, &mut self.coded] {
            if buffer.capacity() > most {
                *buffer = Vec::new();
            }
        }
    }
}

pub(super) fn write_meta(metas: &mut Vec<u8>, length: usize, stream: LogStream, continued: bool, delta: i64) {
    let stream = match stream {
        LogStream::Stdout => 0,
        LogStream::Stderr => 1,
        LogStream::Engine => 2,
    };
    varint::write(metas, (length as u64) << 3 | stream << 1 | u64::from(continued));
    varint::write_signed(metas, delta);
}

/// Unpacks the lines of a chunk. Safe on any bytes: sizes are checked against the limits before memory is taken,
/// and the texts share one buffer.
///
/// # Errors
/// [`ChunkError`].
pub fn decode(payload: &[u8]) -> Result<Vec<LogLine>, ChunkError> {
    let (header, coded) = Header::read(payload)?;
    let body = match header.coding {
        CODING_PLAIN => Bytes::copy_from_slice(coded),
        CODING_ZSTD => zstd::bulk::decompress(coded, header.body_bytes)
            .map(Bytes::from)
            .map_err(|_| ChunkError::Damaged("its body does not unpack"))?,
        _ => return Err(ChunkError::Damaged("its coding is not known")),
    };
    if body.len() != header.body_bytes {
        return Err(ChunkError::Damaged("its body has another length"));
    }
    lines(&header, &body).ok_or(ChunkError::Damaged("its lines contradict its header"))
}

fn lines(header: &Header, body: &Bytes) -> Option<Vec<LogLine>> {
    let mut reader = Reader(body);
    let metas_bytes = usize::try_from(reader.unsigned()?).ok()?;
    let (metas, texts) = reader.0.split_at_checked(metas_bytes)?;
    if texts.len() as u64 + u64::from(header.lines) != header.raw_bytes {
        return None;
    }
    let mut metas = Reader(metas);
    let mut at = header.first_at.as_micros();
    let mut position = body.len() - texts.len();
    let mut lines = Vec::with_capacity(header.lines as usize);
    for _ in 0..header.lines {
        let meta = metas.unsigned()?;
        at = at.wrapping_add(metas.signed()?);
        let stream = match meta >> 1 & 3 {
            0 => LogStream::Stdout,
            1 => LogStream::Stderr,
            2 => LogStream::Engine,
            _ => return None,
        };
        let end = position.checked_add(usize::try_from(meta >> 3).ok()?).filter(|end| *end <= body.len())?;
        let text = body.slice(position..end);
        position = end;
        lines.push(LogLine { at: Timestamp::from_micros(at), stream, continued: meta & 1 == 1, text });
    }
    let complete = metas.0.is_empty() && position == body.len() && at == header.last_at.as_micros();
    complete.then_some(lines)
}
