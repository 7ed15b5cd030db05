//! From a pipe to a sealed log, as the worker and the server put the stages together.

use std::sync::Arc;

use stroem_core::{AttemptNumber, ByteSize, Secret, Timestamp};
use stroem_logs::{
    chunk::{Chunk, ChunkBuilder, ChunkLimits, LineRef, LogStream, decode},
    frame::{Frame, FrameLimits, Framer},
    limit::{LogLimit, LogLimitOptions},
    mask::{MASK, MaskStream, Masker},
    seal::{SealChunk, SealIndex, SealRead, SealWriter},
    spool::{Spool, SpoolOptions},
};

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(1_795_508_611_000_000 + micros)
}

/// A worker's side: mask, frame, chunk.
struct Capture {
    mask: MaskStream,
    framer: Framer,
    builder: ChunkBuilder,
    outputs: Vec<String>,
    now: i64,
    most_buffered: usize,
}

impl Capture {
    fn new(secrets: &[&str]) -> Self {
        let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::new((*secret).to_owned())).collect();
        let masker = Masker::new(&secrets);
        Self {
            mask: MaskStream::new(Arc::clone(&masker)),
            framer: Framer::new(FrameLimits::default()),
            builder: ChunkBuilder::new(ChunkLimits::default()),
            outputs: Vec::new(),
            now: 0,
            most_buffered: 0,
        }
    }

    fn read(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Chunk)) {
        self.now += 1;
        let Self { mask, framer, builder, outputs, now, .. } = self;
        let mut on_frame = |frame: Frame<'_>| record(builder, outputs, at(*now), frame, sink);
        mask.push(bytes, &mut |piece| framer.push(piece, &mut on_frame));
        let buffered = mask.buffer_capacity() + framer.buffer_capacity() + builder.buffer_capacity();
        self.most_buffered = self.most_buffered.max(buffered);
    }

    fn end(&mut self, sink: &mut dyn FnMut(Chunk)) {
        let Self { mask, framer, builder, outputs, now, .. } = self;
        let mut on_frame = |frame: Frame<'_>| record(builder, outputs, at(*now), frame, sink);
        mask.finish(&mut |piece| framer.push(piece, &mut on_frame));
        framer.finish(&mut on_frame);
        builder.flush().into_iter().for_each(sink);
    }
}

fn record(
    builder: &mut ChunkBuilder,
    outputs: &mut Vec<String>,
    now: Timestamp,
    frame: Frame<'_>,
    sink: &mut dyn FnMut(Chunk),
) {
    match frame {
        Frame::Line { text, continued } => {
            let line = LineRef { at: now, stream: LogStream::Stdout, continued, text };
            builder.push(now, line).into_iter().for_each(sink);
        }
        Frame::Output(output) => outputs.push(String::from_utf8_lossy(output).into_owned()),
        Frame::OutputTooLarge => outputs.push("too large".to_owned()),
    }
}

#[test]
fn a_line_of_50_mb_passes_through_bounded_buffers() {
    let mut capture = Capture::new(&["hunter2", "a secret\nof two lines"]);
    let (mut pieces, mut bytes, mut most_in_a_chunk) = (0, 0, 0);
    let mut sink = |chunk: Chunk| {
        for line in decode(&chunk.payload).expect("decodes") {
            assert_eq!(line.continued, pieces > 0);
            pieces += 1;
            bytes += line.text.len();
        }
        most_in_a_chunk = most_in_a_chunk.max(chunk.raw_bytes);
    };
    let block = b"0123456789abcdef".repeat(4 << 10);
    for _ in 0..800 {
        capture.read(&block, &mut sink);
    }
    capture.end(&mut sink);
    assert_eq!(bytes, 800 * (64 << 10));
    assert_eq!(pieces, 200);
    assert!(most_in_a_chunk <= (256 << 10) + 1, "{most_in_a_chunk}");
    assert!(capture.most_buffered < 2 << 20, "{}", capture.most_buffered);
    assert!(capture.framer.buffer_capacity() <= (256 << 10) + 2);
    assert!(capture.mask.buffer_capacity() < 1 << 10);
}

#[test]
fn an_output_of_50_mb_is_given_up_within_its_limit() {
    let mut capture = Capture::new(&[]);
    let mut chunks = 0;
    let mut sink = |_: Chunk| chunks += 1;
    capture.read(b"OUTPUT:", &mut sink);
    for _ in 0..800 {
        capture.read(&[b'4'; 64 << 10], &mut sink);
    }
    assert!(capture.most_buffered < 5 << 20, "{}", capture.most_buffered);
    capture.read(b"\nOUTPUT: {\"a\":1}\n", &mut sink);
    capture.end(&mut sink);
    assert_eq!((capture.outputs, chunks), (vec!["too large".to_owned(), "{\"a\":1}".to_owned()], 0));
}

/// One line in ten reads, two lines in one read, an output of 1 MB: whatever the frames of a transport are.
#[test]
fn lines_do_not_depend_on_how_the_bytes_arrive() {
    let json = format!("{{\"a\":\"{}\"}}", "x".repeat(1_000_000));
    let text = format!("one\ntwo hunter2\nOUTPUT: {json}\nlast without an end");
    let mut results = Vec::new();
    for size in [1, 3, 8 << 10, usize::MAX] {
        let mut capture = Capture::new(&["hunter2"]);
        let mut lines = Vec::new();
        let mut sink = |chunk: Chunk| {
            lines.extend(decode(&chunk.payload).expect("decodes").into_iter().map(|line| line.text));
        };
        text.as_bytes().chunks(size).for_each(|piece| capture.read(piece, &mut sink));
        capture.end(&mut sink);
        results.push((lines, capture.outputs));
    }
    assert_eq!(results[0].0, ["one", &format!("two {MASK}"), "last without an end"]);
    assert_eq!(results[0].1, [json]);
    assert!(results.iter().all(|result| *result == results[0]));
}

#[test]
fn a_long_log_survives_an_outage_a_crash_and_the_seal_in_order_and_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let options = SpoolOptions { segment_bytes: 32 << 10, memory_bytes: 16 << 10 };
    let mut spool = Spool::create(dir.path().join("spool"), options);
    let mut capture = Capture::new(&["hunter2"]);
    let total = 40_000;
    for n in 0..total {
        let line = format!("{n} hunter2 {}\n", n * 7919 % 1_000_003);
        capture.read(line.as_bytes(), &mut |chunk| spool.append(chunk.seq, chunk.payload).expect("appends"));
    }
    capture.end(&mut |chunk| spool.append(chunk.seq, chunk.payload).expect("appends"));
    assert!(spool.disk_bytes() > 3 * (32 << 10));

    let mut writer = SealWriter::new(Vec::new()).expect("memory");
    let mut seq = 0;
    loop {
        if seq == 3 {
            spool.persist().expect("persists");
            spool = Spool::open(dir.path().join("spool"), options).expect("opens after the crash");
        }
        let records = spool.read(seq, 64 << 10).expect("reads");
        let Some((last, _)) = records.last() else { break };
        let last = *last;
        for (number, payload) in records {
            assert_eq!(number, seq);
            seq += 1;
            let chunk = Chunk::from_payload(number, payload).expect("restores");
            let Chunk { lines, first_at, payload, .. } = &chunk;
            let sealed = SealChunk {
                chunk_no: number,
                step: 0,
                attempt: AttemptNumber(1),
                lines: *lines,
                first_at: *first_at,
                payload,
            };
            writer.append(&sealed).expect("in order");
        }
        spool.acknowledge(last).expect("acknowledges");
    }
    assert!(spool.is_empty());
    let (file, _) = writer.finish().expect("memory");

    let Ok(SealRead::Complete(index)) = SealIndex::read(&file, file.len() as u64) else { panic!("reads") };
    let mut expected = 0;
    for entry in index.entries() {
        let range = entry.range();
        for line in decode(&file[range.start as usize..range.end as usize]).expect("decodes") {
            assert_eq!(line.text, format!("{expected} {MASK} {}", expected * 7919 % 1_000_003));
            expected += 1;
        }
    }
    assert_eq!(expected, total);
}

#[test]
fn a_log_over_the_limit_keeps_memory_flat_and_says_what_is_missing() {
    let dir = tempfile::tempdir().expect("a directory");
    let options = LogLimitOptions { log_bytes: ByteSize(1 << 20), spool: SpoolOptions::default() };
    let mut limit = LogLimit::new(dir.path().join("tail"), options);
    let mut capture = Capture::new(&[]);
    let mut kept = Vec::new();
    let total = 100_000;
    for n in 0..total {
        capture.read(format!("line {n} {}\n", "=".repeat(n % 90)).as_bytes(), &mut |chunk| {
            kept.extend(limit.admit(chunk).expect("admits"));
        });
    }
    capture.end(&mut |chunk| kept.extend(limit.admit(chunk).expect("admits")));
    while let Some(chunk) = limit.release(at(0)).expect("releases") {
        kept.push(chunk);
    }
    let lines: Vec<_> = kept.iter().flat_map(|chunk| decode(&chunk.payload).expect("decodes")).collect();
    let cut = lines.iter().position(|line| line.stream == LogStream::Engine).expect("a notice");
    let notice = String::from_utf8_lossy(&lines[cut].text).into_owned();
    assert!(
        notice.starts_with("log limit of 1 MiB reached: ") && notice.ends_with(" MiB) cut here"),
        "{notice}"
    );
    let missing: usize = notice.split(' ').nth(6).and_then(|word| word.parse().ok()).expect("a number");
    assert_eq!(missing + lines.len() - 1, total);
    assert!(lines[lines.len() - 1].text.starts_with(format!("line {} ", total - 1).as_bytes()));
    let raw: u64 = kept.iter().map(|chunk| chunk.raw_bytes).sum();
    assert!((900 << 10..1 << 20).contains(&raw), "{raw}");
}
