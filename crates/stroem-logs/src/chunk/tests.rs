//! What `chunk` promises, on cases and on random input.

use proptest::prelude::*;

use super::*;

const START: i64 = 1_795_508_611_000_000;

fn at_ms(ms: i64) -> Timestamp {
    Timestamp::from_micros(START + ms * 1_000)
}

fn line(text: &[u8]) -> LineRef<'_> {
    LineRef { at: at_ms(0), stream: LogStream::Stdout, continued: false, text }
}

fn limits_of(raw_bytes: u64) -> ChunkLimits {
    ChunkLimits { raw_bytes, ..ChunkLimits::default() }
}

#[test]
fn a_chunk_is_done_when_the_next_line_does_not_fit() {
    let mut builder = ChunkBuilder::new(limits_of(10));
    assert_eq!(builder.push(at_ms(0), line(b"1234")), None);
    assert_eq!(builder.push(at_ms(0), line(b"6789")), None);
    assert!(builder.is_due(at_ms(0)), "exactly full");
    let first = builder.push(at_ms(1), line(b"a long line alone in its chunk")).expect("full");
    assert_eq!((first.seq, first.lines, first.raw_bytes), (0, 2, 10));
    assert!(builder.is_due(at_ms(1)));
    let second = builder.flush().expect("has a line");
    assert_eq!((second.seq, second.lines, second.raw_bytes), (1, 1, 31));
    assert_eq!((builder.flush(), builder.due_at()), (None, None));
}

#[test]
fn the_first_line_after_a_quiet_time_waits_less() {
    let mut builder = ChunkBuilder::new(ChunkLimits::default());
    let mut due = |now: i64| {
        builder.push(at_ms(now), line(b"x"));
        let due = builder.due_at().map(|due| due.since(at_ms(now)).as_millis());
        builder.flush();
        due
    };
    assert_eq!(due(0), Some(20));
    assert_eq!(due(100), Some(200));
    assert_eq!(due(299), Some(200));
    assert_eq!(due(499), Some(20));
}

#[test]
fn a_clock_that_was_set_back_delays_nothing() {
    let mut builder = ChunkBuilder::new(ChunkLimits::default());
    builder.push(at_ms(0), line(b"x"));
    assert!(!builder.is_due(at_ms(19)));
    assert!(builder.is_due(at_ms(20)));
    assert!(builder.is_due(at_ms(-3_600_000)));
}

#[test]
fn a_line_over_the_limit_of_the_format_is_cut_and_says_so() {
    let mut builder = ChunkBuilder::new(ChunkLimits::default());
    builder.push(at_ms(0), line(&vec![b'x'; CHUNK_LINE_BYTES_MAX + 1]));
    let lines = decode(&builder.flush().expect("a chunk").payload).expect("decodes");
    assert_eq!(lines[0].text.len(), CHUNK_LINE_BYTES_MAX);
    assert!(lines[0].text.ends_with("(the rest of this line is cut)".as_bytes()));
    builder.push(at_ms(0), line(b"small"));
    builder.flush();
    assert!(builder.buffer_capacity() < 1 << 20, "{}", builder.buffer_capacity());
}

#[test]
fn repetitive_lines_pack_well() {
    let mut builder = ChunkBuilder::new(ChunkLimits::default());
    let mut chunks = Vec::new();
    for n in 0..10_000 {
        let text = format!("2026-11-24T08:23:31Z INFO request {n} handled in 12 ms with status 200");
        chunks.extend(builder.push(at_ms(n), LineRef { at: at_ms(n), ..line(text.as_bytes()) }));
    }
    chunks.extend(builder.flush());
    let (raw, packed) = chunks
        .iter()
        .fold((0, 0), |(raw, packed), chunk| (raw + chunk.raw_bytes, packed + chunk.payload.len() as u64));
    assert!(raw > packed * 8, "{raw} -> {packed}");
    assert!(chunks.iter().all(|chunk| chunk.raw_bytes <= limits::LOG_CHUNK.as_bytes()));
}

#[test]
fn what_is_no_chunk_is_refused_with_the_reason() {
    let mut builder = ChunkBuilder::new(ChunkLimits::default());
    builder.push(at_ms(0), line(b"hello"));
    let good = builder.flush().expect("a chunk").payload;
    assert!(decode(&good).is_ok());
    assert_eq!(decode(b""), Err(ChunkError::NotAChunk));
    assert_eq!(decode(b"hello world"), Err(ChunkError::NotAChunk));
    let mut newer = good.to_vec();
    newer[1] = 2;
    assert_eq!(decode(&newer), Err(ChunkError::Version(2)));
    assert!(matches!(decode(&good[..good.len() - 1]), Err(ChunkError::Damaged(_))));
    for bit in 16..good.len() * 8 {
        let mut bad = good.to_vec();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(decode(&bad), Err(ChunkError::Damaged(_))), "bit {bit}");
    }
}

/// Puts the right checksum before content that a hostile worker made up.
fn signed(content: &[u8]) -> Vec<u8> {
    let crc = crate::crc::checksum(&[content]).to_le_bytes();
    [&[b'L', 1], &crc[..], content].concat()
}

#[test]
fn sizes_are_refused_before_memory_is_taken() {
    let content = |lines: u64, raw: u64, body: u64| {
        let mut content = vec![1];
        for value in [lines, raw, 0, 0, body] {
            crate::varint::write(&mut content, value);
        }
        signed(&content)
    };
    for (lines, raw, body, expected) in [
        (1, u64::MAX, 10, ChunkError::TooLarge),
        (1 << 20, 1 << 21, 10, ChunkError::TooLarge),
        (1, 10, u64::MAX, ChunkError::Damaged("its sizes contradict each other")),
        (0, 10, 10, ChunkError::Damaged("its sizes contradict each other")),
        (11, 10, 10, ChunkError::Damaged("its sizes contradict each other")),
        (1, 10, 10, ChunkError::Damaged("its body has another length")),
    ] {
        assert_eq!(decode(&content(lines, raw, body)), Err(expected), "{lines} {raw} {body}");
    }
    let bomb = zstd::bulk::compress(&vec![0; 4 << 20], 1).expect("compresses");
    let mut hostile = vec![1, 1, 100, 0, 0, 110];
    hostile.extend_from_slice(&bomb);
    assert!(matches!(decode(&signed(&hostile)), Err(ChunkError::Damaged(_))));
}

fn any_line() -> impl Strategy<Value = LogLine> {
    let stream = prop_oneof![Just(LogStream::Stdout), Just(LogStream::Stderr), Just(LogStream::Engine)];
    let text =
        prop_oneof![prop::collection::vec(any::<u8>(), 0..60), "[a-c ]{0,300}".prop_map(String::into_bytes)];
    (any::<i64>(), stream, any::<bool>(), text).prop_map(|(micros, stream, continued, text)| LogLine {
        at: Timestamp::from_micros(micros),
        stream,
        continued,
        text: text.into(),
    })
}

proptest! {
    #[test]
    fn lines_come_back_as_they_went_in(
        lines in prop::collection::vec(any_line(), 1..60),
        raw_bytes in 1_u64..2_000,
    ) {
        let mut builder = ChunkBuilder::new(limits_of(raw_bytes));
        let mut chunks: Vec<Chunk> =
            lines.iter().filter_map(|line| builder.push(at_ms(0), line.as_ref())).collect();
        chunks.extend(builder.flush());
        let mut back = Vec::new();
        for (index, chunk) in chunks.iter().enumerate() {
            prop_assert_eq!(chunk.seq, index as u64);
            prop_assert_eq!(&Chunk::from_payload(chunk.seq, chunk.payload.clone()), &Ok(chunk.clone()));
            let unpacked = decode(&chunk.payload).expect("decodes");
            prop_assert_eq!(unpacked.len(), chunk.lines as usize);
            prop_assert_eq!(unpacked.iter().map(|line| line.text.len() as u64 + 1).sum::<u64>(), chunk.raw_bytes);
            prop_assert_eq!((unpacked[0].at, unpacked[unpacked.len() - 1].at), (chunk.first_at, chunk.last_at));
            back.extend(unpacked);
        }
        prop_assert_eq!(back, lines);
    }

    #[test]
    fn made_up_content_never_panics(content in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&content);
        let _ = decode(&signed(&content));
        let _ = decode(&signed(&[&[0, 2, 12, 0, 0, 15], &content[..]].concat()));
    }
}
