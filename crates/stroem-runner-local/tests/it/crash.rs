//! kill -9 of a worker: its processes go with it.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use crate::harness::{alive, pids};

#[tokio::test]
async fn kill_9_of_the_worker_takes_every_process_with_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let list = dir.path().join("pids");
    let script = format!(
        "sleep 1000 >/dev/null 2>&1 & echo pid $! >> {0}; setsid sleep 1000 >/dev/null 2>&1 & echo pid $! >> {0}\n\
         setsid sh -c 'sleep 1000 & echo pid $! >> {0}; trap \"\" TERM HUP; sleep 1000' >/dev/null 2>&1 &\n\
         echo pid $$ >> {0}; exec sleep 1000",
        list.display()
    );
    let exe = std::env::current_exe().expect("this test");
    let hold = exe.parent().and_then(|deps| deps.parent()).expect("target").join("examples/hold");
    let mut worker = Command::new(hold)
        .arg(dir.path().join("attempt"))
        .arg(script)
        .stdout(Stdio::null())
        .spawn()
        .expect("the example is built with the tests");
    let read = || pids(&std::fs::read_to_string(&list).unwrap_or_default());
    wait_until("four processes run", || read().len() == 4).await;
    worker.kill().expect("alive");
    worker.wait().expect("a child");
    let pids = read();
    wait_until("all are gone", || pids.iter().all(|pid| !alive(pid))).await;
}

async fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within 10 s: {what}");
}
