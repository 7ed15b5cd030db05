//! What `spool` promises, on cases and on random input.

use std::{collections::BTreeMap, os::unix::fs::FileExt as _};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const THROUGH: SpoolOptions = SpoolOptions { segment_bytes: 200, memory_bytes: 0 };

fn dir() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn record(seq: u64) -> Bytes {
    Bytes::from(format!("record {seq} {}", "x".repeat((seq * 7 % 50) as usize)))
}

fn filled(dir: &Path, options: SpoolOptions, count: u64) -> Spool {
    let mut spool = Spool::create(dir.join("spool"), options);
    for seq in 0..count {
        spool.append(seq, record(seq)).expect("appends");
    }
    spool
}

fn numbers(spool: &mut Spool, from: u64, max_bytes: usize) -> Vec<u64> {
    let records = spool.read(from, max_bytes).expect("reads");
    records.iter().for_each(|(seq, bytes)| assert_eq!(*bytes, record(*seq)));
    records.into_iter().map(|(seq, _)| seq).collect()
}

fn files(spool: &Spool) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(spool.dir())
        .map(|entries| {
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect()
        })
        .unwrap_or_default();
    names.sort();
    names
}

#[test]
fn a_small_step_never_meets_the_disk() {
    let dir = dir();
    let mut spool = filled(dir.path(), SpoolOptions::default(), 20);
    assert_eq!(numbers(&mut spool, 0, usize::MAX), (0..20).collect::<Vec<_>>());
    spool.acknowledge(11).expect("acknowledges");
    assert_eq!(numbers(&mut spool, 0, usize::MAX), (12..20).collect::<Vec<_>>());
    spool.acknowledge(19).expect("acknowledges");
    assert!(spool.is_empty());
    assert_eq!((spool.memory_bytes(), spool.last_seq()), (0, Some(19)));
    assert!(!spool.dir().exists());
    spool.remove().expect("nothing to remove");
}

#[test]
fn records_over_the_memory_budget_go_to_files_in_order() {
    let dir = dir();
    let mut spool = filled(dir.path(), SpoolOptions { segment_bytes: 300, memory_bytes: 400 }, 60);
    assert!(spool.disk_bytes() > 0 && spool.memory_bytes() <= 400);
    assert_eq!(numbers(&mut spool, 0, usize::MAX), (0..60).collect::<Vec<_>>());
    let mut all = Vec::new();
    while let Some(last) = numbers(&mut spool, all.len() as u64, 150).last() {
        let from = all.len() as u64;
        all.extend(from..=*last);
    }
    assert_eq!(all.len(), 60);
    assert_eq!(numbers(&mut spool, 58, usize::MAX), [58, 59]);
}

#[test]
fn one_record_is_given_even_when_it_is_over_the_room() {
    let dir = dir();
    let mut spool = filled(dir.path(), THROUGH, 10);
    for from in 0..10 {
        assert_eq!(numbers(&mut spool, from, 1), [from]);
    }
    let big = Bytes::from(vec![7; 300_000]);
    spool.append(10, big.clone()).expect("appends");
    spool.append(11, record(11)).expect("appends");
    assert_eq!(spool.read(10, 1).expect("reads"), [(10, big)]);
    assert_eq!(numbers(&mut spool, 11, 1), [11]);
}

#[test]
fn acknowledged_files_are_deleted_and_the_rest_is_remembered() {
    let dir = dir();
    let mut spool = filled(dir.path(), THROUGH, 30);
    let before = files(&spool).len();
    assert!(before > 3, "{:?}", files(&spool));
    spool.acknowledge(20).expect("acknowledges");
    assert!(files(&spool).len() < before);
    spool.acknowledge(5).expect("an older one changes nothing");
    let path = spool.dir().to_owned();
    drop(spool);
    let mut spool = Spool::open(path, THROUGH).expect("opens");
    assert_eq!((spool.acknowledged(), spool.last_seq()), (Some(20), Some(29)));
    assert_eq!(numbers(&mut spool, 0, usize::MAX), (21..30).collect::<Vec<_>>());
    spool.acknowledge(29).expect("acknowledges");
    assert!(spool.is_empty());
    assert_eq!(files(&spool), ["ack"]);
    spool.append(30, record(30)).expect("appends");
    assert_eq!(numbers(&mut spool, 0, usize::MAX), [30]);
    spool.remove().expect("removes");
    assert_eq!(fs::read_dir(dir.path()).expect("is there").count(), 0);
}

#[test]
fn numbers_must_grow() {
    let dir = dir();
    let mut spool = Spool::create(dir.path(), THROUGH);
    spool.append(3, record(3)).expect("may begin anywhere");
    spool.append(8, record(8)).expect("may have gaps");
    let error = spool.append(8, record(8)).expect_err("twice");
    assert!(matches!(error, SpoolError::OutOfOrder { seq: 8, last: 8 }), "{error}");
    assert_eq!(numbers(&mut spool, 4, usize::MAX), [8]);
    spool.acknowledge(10).expect("may be ahead");
    assert!(spool.append(10, record(10)).is_err());
}

/// A process may be killed at every byte of a write.
#[test]
fn a_torn_record_is_cut_off_at_every_length() {
    let source = dir();
    let spool = filled(source.path(), SpoolOptions { segment_bytes: 1 << 20, memory_bytes: 0 }, 3);
    let bytes = fs::read(spool.dir().join("0000000000000000.seg")).expect("one file");
    let ends: Vec<usize> = (0..3_u64)
        .scan(0, |end, seq| {
            *end += HEADER_BYTES + record(seq).len();
            Some(*end)
        })
        .collect();
    for length in 0..bytes.len() {
        let dir = dir();
        fs::write(dir.path().join("0000000000000000.seg"), &bytes[..length]).expect("writes");
        let mut spool = Spool::open(dir.path(), THROUGH).expect("opens");
        let whole = ends.iter().filter(|end| **end <= length).count() as u64;
        assert_eq!(numbers(&mut spool, 0, usize::MAX), (0..whole).collect::<Vec<_>>(), "{length}");
        assert_eq!(spool.last_seq(), whole.checked_sub(1), "{length}");
        spool.append(whole, record(whole)).expect("goes on");
        drop(spool);
        let mut spool = Spool::open(dir.path(), THROUGH).expect("opens again");
        assert_eq!(numbers(&mut spool, 0, usize::MAX), (0..=whole).collect::<Vec<_>>(), "{length}");
        assert_eq!(spool.damaged_bytes(), 0);
    }
}

#[test]
fn damage_in_the_middle_costs_the_rest_of_its_file_only() {
    let dir = dir();
    let mut spool = filled(dir.path(), THROUGH, 30);
    let second = files(&spool)[1].clone();
    let first_of_second = u64::from_str_radix(&second[..16], 16).expect("a number");
    let third = u64::from_str_radix(&files(&spool)[2][..16], 16).expect("a number");
    let path = spool.dir().join(&second);
    let length = fs::metadata(&path).expect("is there").len();
    fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .expect("opens")
        .write_all_at(b"#", length - 1)
        .expect("writes");
    let expected: Vec<u64> = (0..third - 1).chain(third..30).collect();
    assert!(third - 1 > first_of_second);
    assert_eq!(numbers(&mut spool, 0, usize::MAX), expected);
    let damaged = spool.damaged_bytes();
    assert_eq!(damaged, (HEADER_BYTES + record(third - 1).len()) as u64);
    assert_eq!(numbers(&mut spool, 0, usize::MAX), expected);
    assert_eq!(spool.damaged_bytes(), damaged, "counted once");
}

#[test]
fn a_file_of_zeros_after_a_power_loss_is_empty() {
    let dir = dir();
    fs::write(dir.path().join("0000000000000000.seg"), [0; 4096]).expect("writes");
    let mut spool = Spool::open(dir.path(), THROUGH).expect("opens");
    assert_eq!((numbers(&mut spool, 0, usize::MAX).len(), spool.damaged_bytes()), (0, 4096));
    spool.append(0, record(0)).expect("appends");
    assert_eq!(numbers(&mut spool, 0, usize::MAX), [0]);
}

#[test]
fn a_failed_write_loses_nothing_and_is_repeated() {
    let dir = dir();
    let blocked = dir.path().join("spool");
    fs::write(&blocked, "a file where the directory should be").expect("writes");
    let mut spool = Spool::create(&blocked, THROUGH);
    assert!(matches!(spool.append(0, record(0)), Err(SpoolError::Io { action: "create", .. })));
    assert!(spool.append(1, record(1)).is_err());
    assert_eq!(numbers(&mut spool, 0, usize::MAX), [0, 1]);
    fs::remove_file(&blocked).expect("removes");
    spool.persist().expect("works now");
    assert_eq!((spool.memory_bytes(), numbers(&mut spool, 0, usize::MAX)), (0, vec![0, 1]));
}

#[derive(Debug, Clone)]
enum Action {
    Append,
    Persist,
    Read(u64, usize),
    Acknowledge(u64),
    Crash,
}

fn any_action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => Just(Action::Append),
        1 => Just(Action::Persist),
        3 => (0_u64..20, 0_usize..400).prop_map(|(back, room)| Action::Read(back, room)),
        2 => (0_u64..20).prop_map(Action::Acknowledge),
        1 => Just(Action::Crash),
    ]
}

proptest! {
    /// Against a map in memory. A crash keeps what was persisted, and never brings back what was acknowledged
    /// unless a later record of the same file was not.
    #[test]
    fn it_behaves_like_a_map_that_survives(
        actions in prop::collection::vec(any_action(), 1..80),
        memory_bytes in prop_oneof![Just(0_usize), Just(150), Just(10_000)],
    ) {
        let dir = dir();
        let path = dir.path().join("spool");
        let options = SpoolOptions { segment_bytes: 200, memory_bytes };
        let mut spool = Spool::create(&path, options);
        let mut model: BTreeMap<u64, Bytes> = BTreeMap::new();
        let mut next = 0_u64;
        for action in actions {
            match action {
                Action::Append => {
                    spool.append(next, record(next)).expect("appends");
                    model.insert(next, record(next));
                    next += 1;
                }
                Action::Persist => spool.persist().expect("persists"),
                Action::Read(back, room) => {
                    let from = next.saturating_sub(back);
                    let read = spool.read(from, room).expect("reads");
                    let expected: Vec<_> = model.range(from..).map(|(seq, bytes)| (*seq, bytes.clone())).collect();
                    prop_assert!(expected.starts_with(&read));
                    prop_assert_eq!(read.is_empty(), expected.is_empty());
                    let size: usize = read.iter().map(|(_, bytes)| HEADER_BYTES + bytes.len()).sum();
                    prop_assert!(read.len() == 1 || size <= room, "{} over {}", size, room);
                }
                Action::Acknowledge(back) => {
                    if let Some(through) = next.checked_sub(back + 1) {
                        spool.acknowledge(through).expect("acknowledges");
                        model = model.split_off(&(through + 1));
                    }
                }
                Action::Crash => {
                    let on_disk = spool.disk_bytes() > 0;
                    let in_memory = spool.memory.front().map(|(seq, _)| *seq);
                    spool = Spool::open(&path, options).expect("opens");
                    if let Some(lost) = in_memory {
                        model.split_off(&lost);
                    }
                    if on_disk {
                        next = model.last_key_value().map_or(next, |(seq, _)| seq + 1);
                    }
                }
            }
            prop_assert_eq!(spool.is_empty(), model.is_empty());
        }
        let all: Vec<_> = spool.read(0, usize::MAX).expect("reads");
        prop_assert_eq!(all, model.into_iter().collect::<Vec<_>>());
    }
}
