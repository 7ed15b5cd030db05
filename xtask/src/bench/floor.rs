//! The floor: what this machine can do with nothing of the product in between. How many processes a program
//! that does only this can start, and how often it can make 4 KiB durable.

use std::{
    fs::{self, File},
    io::{Seek, SeekFrom, Write},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{Options, measurement::Measurement};
use crate::repo::Repo;

/// Processes at the same time, as many as the worker of the other suites has slots.
const IN_FLIGHT: usize = 8;
/// Processes in one run.
const SPAWNS: u32 = 2_000;
/// Commits in one run stop after this long.
const SYNC_TIME: Duration = Duration::from_secs(1);
/// What one commit writes, a page of a database.
const PAGE: [u8; 4096] = [0x5a; 4096];

/// Both figures of the floor.
pub(crate) fn measure(repo: &Repo, options: &Options) -> Result<Vec<Measurement>> {
    let runs = options.runs;
    let syncs = (0..runs).map(|_| syncs_per_second(repo)).collect::<Result<Vec<f64>>>()?;
    Ok(vec![
        spawns(runs)?,
        Measurement { name: "4 KiB written and synced".to_owned(), unit: "1/s", runs: syncs, budget: None },
    ])
}

/// How many processes a second can be started and waited for.
pub(crate) fn spawns(runs: u32) -> Result<Measurement> {
    let spawns = (0..runs).map(|_| spawns_per_second()).collect::<Result<Vec<f64>>>()?;
    let name = "processes started and waited for, 8 in flight".to_owned();
    Ok(Measurement { name, unit: "1/s", runs: spawns, budget: None })
}

/// Starts `bash -c 'echo hi'`, reads what it prints, waits; from [`IN_FLIGHT`] threads.
fn spawns_per_second() -> Result<f64> {
    let taken = AtomicU32::new(0);
    let start = Instant::now();
    let results: Vec<Result<()>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..IN_FLIGHT).map(|_| scope.spawn(|| spawn_until_taken(&taken))).collect();
        let joined = threads.into_iter().map(|thread| thread.join().expect("the loop does not panic"));
        joined.collect()
    });
    let elapsed = start.elapsed();
    results.into_iter().collect::<Result<()>>()?;
    Ok(f64::from(SPAWNS) / elapsed.as_secs_f64())
}

fn spawn_until_taken(taken: &AtomicU32) -> Result<()> {
    while taken.fetch_add(1, Ordering::Relaxed) < SPAWNS {
        let output = Command::new("bash")
            .args(["-c", "echo hi"])
            .stdin(Stdio::null())
            .output()
            .context("bash does not start")?;
        ensure!(output.stdout == b"hi\n", "bash did not print `hi`");
    }
    Ok(())
}

/// Overwrites one page and makes it durable, again and again, in the file system of the target folder.
fn syncs_per_second(repo: &Repo) -> Result<f64> {
    let folder = repo.target().join("bench");
    fs::create_dir_all(&folder).context("cannot create the folder for the sync test")?;
    let path = folder.join("sync");
    let mut file = File::create(&path).context("cannot create the file for the sync test")?;
    let start = Instant::now();
    let mut count: u32 = 0;
    while start.elapsed() < SYNC_TIME {
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&PAGE)?;
        file.sync_data().context("the file system cannot sync")?;
        count += 1;
    }
    let rate = f64::from(count) / start.elapsed().as_secs_f64();
    fs::remove_file(&path).context("cannot remove the file of the sync test")?;
    Ok(rate)
}
