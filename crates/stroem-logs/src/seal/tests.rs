//! What `seal` promises, on cases and on random input.

use proptest::prelude::*;

use super::*;

type Row = (u64, u32, u32, u32, i64, Vec<u8>);

fn sealed(rows: &[Row]) -> (Vec<u8>, SealSummary) {
    let mut writer = SealWriter::new(Vec::new()).expect("memory");
    for row in rows {
        writer.append(&chunk(row)).expect("in order");
    }
    writer.finish().expect("memory")
}

fn chunk(row: &Row) -> SealChunk<'_> {
    let (chunk_no, step, attempt, lines, at, payload) = row;
    SealChunk {
        chunk_no: *chunk_no,
        step: *step,
        attempt: AttemptNumber(*attempt),
        lines: *lines,
        first_at: Timestamp::from_micros(*at),
        payload,
    }
}

fn rows(count: u64) -> Vec<Row> {
    (0..count)
        .map(|n| (n * 2, n as u32 % 3, 1, 7, 1_795_508_611_000_000 + n as i64, vec![n as u8; 10]))
        .collect()
}

fn index(file: &[u8]) -> SealIndex {
    match SealIndex::read(file, file.len() as u64) {
        Ok(SealRead::Complete(index)) => index,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_job_without_a_log_can_be_sealed() {
    let (file, summary) = sealed(&[]);
    assert_eq!(summary, SealSummary { chunks: 0, lines: 0, bytes: file.len() as u64 });
    assert_eq!(index(&file).entries(), []);
}

#[test]
fn chunks_must_come_in_order() {
    let mut writer = SealWriter::new(Vec::new()).expect("memory");
    let rows = rows(3);
    writer.append(&chunk(&rows[1])).expect("may begin anywhere");
    let error = writer.append(&chunk(&rows[1])).expect_err("twice");
    assert!(matches!(error, SealWriteError::OutOfOrder { chunk_no: 2, expected: 3 }), "{error}");
    writer.append(&chunk(&rows[2])).expect("goes on");
    let (file, _) = writer.finish().expect("memory");
    assert_eq!(index(&file).entries().iter().map(|entry| entry.chunk_no).collect::<Vec<_>>(), [2, 4]);
}

#[test]
fn a_reader_that_has_too_little_of_the_end_is_told_where_to_begin() {
    let (file, _) = sealed(&rows(500));
    let length = file.len() as u64;
    let Ok(SealRead::NeedsFrom(offset)) = SealIndex::read(&file[file.len() - 40..], length) else {
        panic!("40 bytes cannot be enough");
    };
    assert_eq!(offset, 8 + 500 * 10);
    let Ok(SealRead::Complete(index)) = SealIndex::read(&file[offset as usize..], length) else {
        panic!("now it is enough");
    };
    assert_eq!((index.entries().len(), index.lines()), (500, 3_500));
    assert_eq!(index.from_chunk(0).len(), 500);
    assert_eq!(index.from_chunk(7)[0].chunk_no, 8);
    assert_eq!(index.from_chunk(999), []);
}

#[test]
fn damage_is_told_apart() {
    let (file, _) = sealed(&rows(20));
    let length = file.len() as u64;
    assert_eq!(SealIndex::read(&[], 0), Err(SealError::NotSealed));
    assert_eq!(SealIndex::read(&file[..file.len() - 1], length - 1), Err(SealError::NotSealed));
    assert!(matches!(SealIndex::read(&file, length + 1), Err(SealError::Damaged(_))));
    let mut newer = file.clone();
    newer[file.len() - 1] = 2;
    assert_eq!(SealIndex::read(&newer, length), Err(SealError::Version(2)));
    for byte in 8 + 20 * 10..file.len() {
        let mut bad = file.clone();
        bad[byte] ^= 0x10;
        assert!(SealIndex::read(&bad, length).is_err(), "byte {byte}");
    }
}

fn any_row() -> impl Strategy<Value = Row> {
    let payload = prop::collection::vec(any::<u8>(), 0..50);
    (0_u64..1 << 40, any::<u32>(), any::<u32>(), any::<u32>(), any::<i64>(), payload)
}

proptest! {
    #[test]
    fn every_chunk_is_found_again(mut rows in prop::collection::vec(any_row(), 0..40), reach in 0_usize..3_000) {
        let mut next = 0_u64;
        for row in &mut rows {
            row.0 += next;
            next = row.0 + 1;
        }
        let (file, summary) = sealed(&rows);
        let length = file.len() as u64;
        prop_assert_eq!((summary.bytes, summary.chunks), (length, rows.len() as u64));
        let from = file.len().saturating_sub(reach.max(TRAILER_BYTES));
        let index = match SealIndex::read(&file[from..], length).expect("reads") {
            SealRead::Complete(index) => index,
            SealRead::NeedsFrom(offset) => {
                prop_assert!(offset < from as u64);
                let read = SealIndex::read(&file[offset as usize..], length).expect("reads");
                let SealRead::Complete(index) = read else { panic!("complete") };
                index
            }
        };
        prop_assert_eq!(index.lines(), summary.lines);
        prop_assert_eq!(index.entries().len(), rows.len());
        for (entry, row) in index.entries().iter().zip(&rows) {
            let range = entry.range();
            let found = SealChunk {
                chunk_no: entry.chunk_no,
                step: entry.step,
                attempt: entry.attempt,
                lines: entry.lines,
                first_at: entry.first_at,
                payload: &file[range.start as usize..range.end as usize],
            };
            prop_assert_eq!(found, chunk(row));
        }
    }

    #[test]
    fn made_up_ends_never_panic(head in prop::collection::vec(any::<u8>(), 0..100), numbers in any::<[u8; 20]>()) {
        let file = [&head[..], &numbers, MAGIC, &[VERSION]].concat();
        let _ = SealIndex::read(&file, file.len() as u64);
        let mut honest = Vec::from((head.len() as u64).to_le_bytes());
        honest.extend_from_slice(&numbers[..4]);
        honest[8..].copy_from_slice(&0_u32.to_le_bytes());
        honest.extend_from_slice(&numbers[4..8]);
        let checksum = crate::crc::checksum(&[&honest]).to_le_bytes();
        let file = [&head[..], &honest, &checksum, MAGIC, &[VERSION]].concat();
        let _ = SealIndex::read(&file, file.len() as u64);
    }
}
