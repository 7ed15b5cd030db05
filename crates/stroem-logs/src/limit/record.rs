//! What the tail's spool holds: chunks with how much came before them, and in the end the plan of the release.
//! The spool's checksums vouch for the bytes.

use bytes::Bytes;
use stroem_core::Timestamp;

use crate::varint::{self, Reader};

const CHUNK: u8 = 0;
const PLAN: u8 = 1;

/// A chunk of the tail.
pub(super) struct Stored {
    pub(super) lines_before: u64,
    pub(super) raw_bytes_before: u64,
    pub(super) lines: u32,
    pub(super) raw_bytes: u64,
    pub(super) payload: Bytes,
}

/// How the tail is released. It is written down before the first chunk is given, so that a release that a crash
/// interrupted goes on with the same numbers.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    /// The number of the first released chunk.
    pub(super) first_chunk: u64,
    /// The tail's first record that is released.
    pub(super) from_seq: u64,
    /// What was cut; with no lines there is no notice either.
    pub(super) cut_lines: u64,
    pub(super) cut_bytes: u64,
    /// The time of the notice.
    pub(super) at: Timestamp,
}

pub(super) enum Record {
    Chunk(Stored),
    Plan(Plan),
}

pub(super) fn write_chunk(stored: &Stored) -> Bytes {
    let mut out = Vec::with_capacity(stored.payload.len() + 32);
    out.push(CHUNK);
    for value in [stored.lines_before, stored.raw_bytes_before, u64::from(stored.lines), stored.raw_bytes] {
        varint::write(&mut out, value);
    }
    out.extend_from_slice(&stored.payload);
    Bytes::from(out)
}

pub(super) fn write_plan(plan: &Plan) -> Bytes {
    let mut out = vec![PLAN];
    for value in [plan.first_chunk, plan.from_seq, plan.cut_lines, plan.cut_bytes] {
        varint::write(&mut out, value);
    }
    varint::write_signed(&mut out, plan.at.as_micros());
    Bytes::from(out)
}

pub(super) fn read(bytes: &Bytes) -> Option<Record> {
    let (kind, rest) = bytes.split_first()?;
    let mut reader = Reader(rest);
    match *kind {
        CHUNK => {
            let lines_before = reader.unsigned()?;
            let raw_bytes_before = reader.unsigned()?;
            let lines = reader.unsigned_32()?;
            let raw_bytes = reader.unsigned()?;
            let payload = bytes.slice_ref(reader.0);
            Some(Record::Chunk(Stored { lines_before, raw_bytes_before, lines, raw_bytes, payload }))
        }
        PLAN => Some(Record::Plan(Plan {
            first_chunk: reader.unsigned()?,
            from_seq: reader.unsigned()?,
            cut_lines: reader.unsigned()?,
            cut_bytes: reader.unsigned()?,
            at: Timestamp::from_micros(reader.signed()?),
        })),
        _ => None,
    }
}
