//! Files that version 1 wrote. They must decode for ever; the encoder may write other bytes for the same content.

use std::path::PathBuf;

use bytes::Bytes;
use stroem_core::{AttemptNumber, Timestamp};
use stroem_logs::{
    chunk::{Chunk, ChunkBuilder, ChunkLimits, LineRef, LogLine, LogStream, decode},
    seal::{SealChunk, SealIndex, SealRead, SealWriter},
};

const START: i64 = 1_795_508_611_123_456;

fn golden(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn line(ms: i64, stream: LogStream, continued: bool, text: impl Into<Bytes>) -> LogLine {
    LogLine { at: Timestamp::from_micros(START + ms * 1_000), stream, continued, text: text.into() }
}

/// Few lines: kept as they are.
fn short_lines() -> Vec<LogLine> {
    vec![
        line(0, LogStream::Engine, false, "pulling image"),
        line(1_500, LogStream::Stdout, false, "smørrebrød"),
        line(1_400, LogStream::Stderr, true, &b"\xFF\x00 not text"[..]),
        line(1_500, LogStream::Stdout, false, ""),
    ]
}

/// Many lines: compressed.
fn long_lines() -> Vec<LogLine> {
    (0..300)
        .map(|n| line(n * 7, LogStream::Stdout, n % 50 == 49, format!("line {n} of the golden log")))
        .collect()
}

fn packed(lines: &[LogLine]) -> Chunk {
    let mut builder = ChunkBuilder::new(ChunkLimits::default());
    for LogLine { at, stream, continued, text } in lines {
        let line = LineRef { at: *at, stream: *stream, continued: *continued, text };
        assert_eq!(builder.push(*at, line), None);
    }
    builder.flush().expect("has lines")
}

fn check_chunk(name: &str, lines: &[LogLine]) {
    let payload = Bytes::from(golden(name));
    assert_eq!(decode(&payload).as_deref(), Ok(lines), "{name}");
    let chunk = Chunk::from_payload(9, payload).expect(name);
    let fresh = packed(lines);
    assert_eq!(
        (chunk.lines, chunk.raw_bytes, chunk.first_at, chunk.last_at),
        (fresh.lines, fresh.raw_bytes, fresh.first_at, fresh.last_at),
        "{name}"
    );
}

#[test]
fn chunks_of_version_1_decode() {
    check_chunk("chunk-v1-plain.bin", &short_lines());
    check_chunk("chunk-v1-zstd.bin", &long_lines());
}

#[test]
fn a_sealed_log_of_version_1_decodes() {
    let file = golden("sealed-v1.bin");
    let Ok(SealRead::Complete(index)) = SealIndex::read(&file, file.len() as u64) else { panic!("reads") };
    let found: Vec<_> = index
        .entries()
        .iter()
        .map(|entry| {
            let range = entry.range();
            let lines = decode(&file[range.start as usize..range.end as usize]).expect("decodes");
            assert_eq!((lines.len(), lines[0].at), (entry.lines as usize, entry.first_at));
            (entry.chunk_no, entry.step, entry.attempt.0, lines)
        })
        .collect();
    assert_eq!(found, [(0, 0, 1, short_lines()), (1, 4, 1, long_lines()), (7, 4, 2, short_lines())]);
}

fn fresh_sealed() -> Vec<u8> {
    let mut writer = SealWriter::new(Vec::new()).expect("memory");
    for (chunk_no, step, attempt, lines) in
        [(0, 0, 1, short_lines()), (1, 4, 1, long_lines()), (7, 4, 2, short_lines())]
    {
        let chunk = packed(&lines);
        let sealed = SealChunk {
            chunk_no,
            step,
            attempt: AttemptNumber(attempt),
            lines: chunk.lines,
            first_at: chunk.first_at,
            payload: &chunk.payload,
        };
        writer.append(&sealed).expect("in order");
    }
    writer.finish().expect("memory").0
}

/// While version 1 is what is written, the files can be made again from here: a difference in the part that zstd
/// does not touch is a change of the format.
#[test]
fn the_files_are_what_version_1_still_writes_where_nothing_is_compressed() {
    assert_eq!(golden("chunk-v1-plain.bin"), packed(&short_lines()).payload);
    let (golden, fresh) = (golden("sealed-v1.bin"), fresh_sealed());
    let head = 8 + packed(&short_lines()).payload.len();
    assert_eq!(golden[..head], fresh[..head]);
}
