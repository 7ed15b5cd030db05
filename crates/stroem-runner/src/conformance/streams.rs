//! What a command prints arrives: all of it, in order, whatever it is, however slowly it is taken.

use std::time::Duration;

use stroem_core::{Outcome, limits};
use tokio::sync::{mpsc, watch};

use super::{
    Subject, Verdict,
    harness::{request, run, script},
};
use crate::RunnerEvent;

const LINE_BYTES: usize = 50_000_000;

/// Prepared, started, output, and then the outcome.
pub async fn events_come_in_their_order(subject: &dyn Subject) -> Verdict {
    let ran = run(subject, script("echo one; echo two >&2; echo three")).await;
    assert_eq!(ran.order, ["prepared", "started", "output"]);
    Verdict::Passed
}

/// Each stream is in the order of printing, and the last line needs no end.
pub async fn both_streams_arrive_whole_and_in_order(subject: &dyn Subject) -> Verdict {
    let text = "for i in 1 2 3; do echo out $i; echo err $i >&2; done; printf tail";
    let ran = run(subject, script(text)).await;
    if subject.separates_streams() {
        assert_eq!(ran.out(), "out 1\nout 2\nout 3\ntail");
        assert_eq!(String::from_utf8_lossy(&ran.stderr), "err 1\nerr 2\nerr 3\n");
    } else {
        assert_eq!(ran.out(), "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\ntail");
    }
    Verdict::Passed
}

/// Bytes are bytes.
pub async fn bytes_that_are_not_utf8_do_not_end_the_capture(subject: &dyn Subject) -> Verdict {
    let ran = run(subject, script(r"printf 'a\377\000\300b\n'; echo after")).await;
    if subject.keeps_bytes() {
        assert_eq!(ran.stdout, b"a\xff\x00\xc0b\nafter\n");
    } else {
        assert_eq!(ran.out(), "a\u{fffd}\0\u{fffd}b\nafter\n");
    }
    Verdict::Passed
}

/// The runner holds what it is just reading and nothing else.
pub async fn a_line_of_50_mb_arrives_and_memory_stays_flat(subject: &dyn Subject) -> Verdict {
    let text = format!("echo begin; head -c {LINE_BYTES} /dev/zero | tr '\\0' x; echo; echo end");
    let request = request(subject, &script(&text));
    let (events, mut inbox) = mpsc::channel(8);
    let (_stop, stopping) = watch::channel(None);
    let before = memory_bytes("VmRSS:");
    let count = async {
        let (mut bytes, mut largest) = (0, 0);
        while let Some(event) = inbox.recv().await {
            if let RunnerEvent::Output { bytes: some, .. } = event {
                bytes += some.len();
                largest = largest.max(some.len());
            }
        }
        (bytes, largest)
    };
    let (outcome, (bytes, largest)) = tokio::join!(subject.runner().run(request, events, stopping), count);
    assert_eq!((outcome, bytes), (Outcome::Succeeded, 6 + LINE_BYTES + 1 + 4));
    assert!(largest <= 64 << 10, "{largest} bytes in one event");
    let grown = memory_bytes("VmHWM:").saturating_sub(before);
    assert!(grown < 16 << 20, "memory grew by {grown} bytes");
    Verdict::Passed
}

/// The bound on draining is for commands that hold pipes, not for receivers that are busy.
pub async fn a_slow_receiver_loses_nothing(subject: &dyn Subject) -> Verdict {
    // What the receiver has, what the channel holds, what the runner is handing over, and the rest in the pipe: the
    // command has ended long before the second event is taken.
    let request = request(subject, &script("head -c 240000 /dev/zero; echo end"));
    let (events, mut inbox) = mpsc::channel(1);
    let (_stop, stopping) = watch::channel(None);
    let count = async {
        let mut bytes = 0;
        while let Some(event) = inbox.recv().await {
            if let RunnerEvent::Output { bytes: some, .. } = event {
                if bytes == 0 {
                    tokio::time::sleep(limits::DRAIN.as_duration() + Duration::from_millis(500)).await;
                }
                bytes += some.len();
            }
        }
        bytes
    };
    let (outcome, bytes) = tokio::join!(subject.runner().run(request, events, stopping), count);
    assert_eq!((outcome, bytes), (Outcome::Succeeded, 240_004));
    Verdict::Passed
}

/// Output that nobody wants is discarded; the command does not notice.
pub async fn a_receiver_that_is_gone_does_not_end_the_step(subject: &dyn Subject) -> Verdict {
    let request = request(subject, &script("head -c 3000000 /dev/zero; exit 5"));
    let (events, inbox) = mpsc::channel(8);
    let (_stop, stopping) = watch::channel(None);
    drop(inbox);
    let outcome = subject.runner().run(request, events, stopping).await;
    assert_eq!(outcome, Outcome::Failed { exit: stroem_core::Exit::ExitCode(5) });
    Verdict::Passed
}

/// The step ends, and its log says what was killed.
pub async fn a_background_child_that_holds_the_output_is_killed_and_named(subject: &dyn Subject) -> Verdict {
    let ran = run(subject, script("sleep 1000 & (sleep 0.3; echo late) & echo done")).await;
    assert_eq!((ran.outcome.clone(), ran.out().as_str()), (Outcome::Succeeded, "done\nlate\n"));
    let named = |note: &String| note.contains("(sleep 1000)") && note.contains("was still running");
    assert!(ran.notes.iter().any(named), "{:?}", ran.notes);
    ran.assert_clean(subject).await;
    Verdict::Passed
}

/// One that holds no pipe is no reason to wait.
pub async fn a_silent_background_child_is_killed_and_named(subject: &dyn Subject) -> Verdict {
    let text = "setsid sleep 1000 > /dev/null 2>&1 < /dev/null & sleep 0.1; echo done";
    let ran = run(subject, script(text)).await;
    assert_eq!((ran.outcome.clone(), ran.out().as_str()), (Outcome::Succeeded, "done\n"));
    assert!(ran.notes.iter().any(|note| note.contains("sleep 1000")), "{:?}", ran.notes);
    ran.assert_clean(subject).await;
    Verdict::Passed
}

/// A figure of this process's memory; 0 where the system has none, which then proves nothing.
fn memory_bytes(figure: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(figure)).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) << 10
}
