//! The process is killed in the middle of its work: what it had acknowledged is there.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use bytes::Bytes;
use stroem_core::{AttemptNumber, JobStatus};
use stroem_engine::Event;
use stroem_store::{
    ChunkKey, ChunkRange, JobStore as _, LogStore as _, NewChunk,
    conformance::support::{JobShape, at, chain, claim_scripts, commit, create, succeeded, whole},
};
use stroem_store_sqlite::SqliteStore;

/// Where the child finds its directory.
const DIR: &str = "STROEM_CRASH_TEST_DIR";

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut acknowledged = Vec::new();
    for (round, count) in [(0, 1), (1, 25), (2, 60)] {
        let first = round * 1_000;
        let last = run_and_kill(dir.path(), first, count);
        acknowledged.extend(first..=last);
        let store = SqliteStore::open(dir.path()).expect("opens after the kill");
        for number in &acknowledged {
            check(&store, *number).await;
        }
        // What came after the last line that was read is there as a whole or not at all.
        for number in last + 1.. {
            let job = JobShape::new(number, chain(2));
            if store.job(job.id()).await.expect("reads").is_none() {
                break;
            }
            if !whole(&store, &job, &[1]).await.job.status.is_terminal() {
                commit(&store, &job, vec![Event::CancelRequested], at(9)).await;
            }
        }
    }
}

/// Runs the child from job `first` on and kills it after `count` lines; answers the number of the last line.
fn run_and_kill(dir: &Path, first: u64, count: usize) -> u64 {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "crash::child_of_the_kill_test", "--nocapture"])
        .env(DIR, format!("{first}:{}", dir.display()))
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let numbers = lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("durable ")?.parse().ok());
    let numbers: Vec<u64> = numbers.take(count).collect();
    child.kill().expect("kills");
    child.wait().expect("ends");
    assert_eq!(
        numbers,
        (first..).take(count).collect::<Vec<_>>(),
        "the child works in order until it is killed"
    );
    first + count as u64 - 1
}

async fn check(store: &SqliteStore, number: u64) {
    let detail = whole(store, &JobShape::new(number, chain(2)), &[1]).await;
    assert_eq!(detail.job.status, JobStatus::Completed, "job {number}");
    let range = ChunkRange { job: detail.job.id, step: None, from_chunk_no: 0, limit: 9 };
    let chunks = store.chunks(range).await.expect("reads");
    assert_eq!(chunks.len(), 2, "job {number}");
}

/// Works until it is killed when the test above started it; does nothing when it is run like any other test.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "its parent has no other way to tell it the directory")]
async fn child_of_the_kill_test() {
    let Ok(task) = std::env::var(DIR) else { return };
    let (first, dir) = task.split_once(':').expect("a number and a directory");
    let store = SqliteStore::open(Path::new(dir)).expect("opens");
    let first: u64 = first.parse().expect("a number");
    for number in first.. {
        run_job(&store, number).await;
        writeln!(std::io::stdout().lock(), "durable {number}").expect("the parent reads");
    }
}

async fn run_job(store: &SqliteStore, number: u64) {
    let job = create(store, number, chain(2)).await;
    for step in 0..2 {
        let lease = claim_scripts(store, 1, 1, at(2)).await[0];
        let key = ChunkKey { job: job.id(), step, attempt: AttemptNumber(1) };
        let (first_at, last_at, payload) = (at(2), at(3), Bytes::from_static(b"lines"));
        let chunk = NewChunk { key, seq: 0, lines: 1, raw_bytes: 5, first_at, last_at, payload };
        store.append(vec![chunk]).await.expect("appends");
        commit(store, &job, vec![succeeded(lease, Some(serde_json::json!(step)))], at(4)).await;
    }
}
