//! What `limit` promises, on cases and on random input.

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::chunk::decode;

const AT: Timestamp = Timestamp::from_micros(1_795_508_611_000_000);

fn options(log_bytes: u64) -> LogLimitOptions {
    LogLimitOptions {
        log_bytes: ByteSize(log_bytes),
        spool: SpoolOptions { segment_bytes: 300, memory_bytes: 0 },
    }
}

/// One chunk of one line of ten bytes, its end included.
fn chunk(n: u64) -> Chunk {
    let mut builder = ChunkBuilder::new(ChunkLimits::default());
    let text = format!("line {n:04}");
    builder.push(AT, LineRef { at: AT, stream: LogStream::Stdout, continued: false, text: text.as_bytes() });
    builder.flush().expect("a line")
}

fn text(chunk: &Chunk) -> String {
    let lines = decode(&chunk.payload).expect("decodes");
    assert_eq!(lines.len(), 1);
    String::from_utf8(lines[0].text.to_vec()).expect("text")
}

struct Run {
    limit: LogLimit,
    passed: Vec<Chunk>,
    dir: TempDir,
}

impl Run {
    fn new(log_bytes: u64, lines: u64) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let limit = LogLimit::new(dir.path().join("tail"), options(log_bytes));
        let mut run = Self { limit, passed: Vec::new(), dir };
        run.admit(0..lines);
        run
    }

    fn admit(&mut self, lines: std::ops::Range<u64>) {
        for n in lines {
            self.passed.extend(self.limit.admit(chunk(n)).expect("admits"));
        }
    }

    fn release(&mut self, at_most: usize) {
        for _ in 0..at_most {
            let Some(chunk) = self.limit.release(AT).expect("releases") else { break };
            self.passed.push(chunk);
        }
    }

    /// As after a crash: what passed is known, all else comes from the directory.
    fn crash(&mut self) {
        let raw_bytes = self.passed.iter().map(|chunk| chunk.raw_bytes).sum();
        let passed = Passed { chunks: self.passed.len() as u64, raw_bytes };
        let options = self.limit.options;
        self.limit = LogLimit::open(self.dir.path().join("tail"), options, passed).expect("opens");
    }

    fn texts(&self) -> Vec<String> {
        let numbers: Vec<u64> = self.passed.iter().map(|chunk| chunk.seq).collect();
        assert_eq!(numbers, (0..self.passed.len() as u64).collect::<Vec<_>>(), "numbers have no gaps");
        self.passed.iter().map(text).collect()
    }
}

fn lines(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|n| format!("line {n:04}")).collect()
}

#[test]
fn a_log_within_the_limit_is_whole_and_says_nothing() {
    for count in [0, 1, 5] {
        let mut run = Run::new(100, count);
        assert!(!run.limit.has_tail());
        run.release(99);
        assert_eq!(run.texts(), lines(0..count));
    }
    for count in [6, 10] {
        let mut run = Run::new(100, count);
        assert_eq!(run.texts(), lines(0..5), "the second half waits");
        run.release(99);
        assert_eq!(run.texts(), lines(0..count));
    }
}

#[test]
fn head_and_tail_are_kept_and_the_cut_is_marked() {
    let mut run = Run::new(100, 200);
    run.release(99);
    let cut = "log limit of 100 B reached: 190 lines (1.9 KiB) cut here".to_owned();
    assert_eq!(run.texts(), [lines(0..5), vec![cut], lines(195..200)].concat());
    let notice = &decode(&run.passed[5].payload).expect("decodes")[0];
    assert_eq!((notice.stream, notice.at), (LogStream::Engine, AT));
    run.limit.remove().expect("removes");
    assert_eq!(std::fs::read_dir(run.dir.path()).expect("is there").count(), 0);
}

#[test]
fn one_cut_line_is_counted_in_the_singular() {
    let mut run = Run::new(100, 11);
    run.release(1);
    assert_eq!(run.texts()[5], "log limit of 100 B reached: 1 line (10 B) cut here");
}

#[test]
fn what_was_cut_does_not_stay_on_the_disk() {
    let mut run = Run::new(4_000, 0);
    let mut most = 0;
    for part in 0..40 {
        run.admit(part * 100..(part + 1) * 100);
        most = most.max(run.limit.disk_bytes());
        assert!(run.limit.tail.as_ref().is_none_or(|tail| tail.parts.len() as u64 <= TAIL_PARTS + 2));
    }
    let a_record = 70;
    assert!(most < 200 * a_record + 2 * a_record * 200 / TAIL_PARTS + 2 * 300, "{most}");
}

#[test]
fn a_last_chunk_over_half_the_limit_is_kept_all_the_same() {
    let mut run = Run::new(8, 3);
    run.release(99);
    assert_eq!(
        run.texts(),
        ["log limit of 8 B reached: 2 lines (20 B) cut here".to_owned(), "line 0002".to_owned()]
    );
}

#[test]
fn a_release_goes_on_after_a_crash_at_every_chunk() {
    let mut expected = Run::new(200, 77);
    expected.release(99);
    for given in 0..12 {
        let mut run = Run::new(200, 50);
        run.crash();
        run.admit(50..77);
        run.release(given);
        run.crash();
        run.release(99);
        assert_eq!(run.texts(), expected.texts(), "crash after {given}");
    }
}

proptest! {
    #[test]
    fn head_cut_and_tail_add_up(
        log_bytes in 1_u64..400,
        before in 0_u64..60,
        after in 0_u64..60,
        crash in any::<bool>(),
    ) {
        let mut run = Run::new(log_bytes, before);
        if crash {
            run.crash();
        }
        run.admit(before..before + after);
        run.release(999);
        let texts = run.texts();
        let total = before + after;
        let cut = texts.iter().position(|text| text.contains("cut here"));
        let Some(cut) = cut else {
            prop_assert_eq!(texts, lines(0..total));
            return Ok(());
        };
        let cut_lines: u64 = texts[cut].split(' ').nth(6).and_then(|word| word.parse().ok()).expect("a number");
        let kept = texts.len() as u64 - 1;
        prop_assert_eq!(cut_lines + kept, total);
        prop_assert_eq!(&texts[..cut], &lines(0..cut as u64));
        prop_assert_eq!(&texts[cut + 1..], &lines(total - (kept - cut as u64)..total));
        prop_assert!(kept * 10 <= log_bytes || kept - cut as u64 == 1);
    }
}
