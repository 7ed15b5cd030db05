//! From the claim to the end.

use serde_json::json;
use stroem_core::{ByteSize, Exit, HumanDuration, Outcome, Secret};
use stroem_logs::chunk::LogStream;
use stroem_runner::StopReason;

use crate::fixture::Fixture;

fn texts(lines: &[(LogStream, String)]) -> Vec<&str> {
    lines.iter().map(|(_, text)| text.as_str()).collect()
}

#[tokio::test]
async fn a_step_runs_and_its_log_output_and_end_arrive() {
    let fixture = Fixture::new();
    let worker = fixture.start("");
    let lease = fixture.server.enqueue("print one\nerr two\nnote three\nfiles\nprint OUTPUT: {\"a\": 1}");
    assert_eq!(fixture.server.end_of(lease).await, (Outcome::Succeeded, Some(json!({"a": 1}))));
    let expected = [
        (LogStream::Stdout, "one".to_owned()),
        (LogStream::Stderr, "two".to_owned()),
        (LogStream::Engine, "three".to_owned()),
        (LogStream::Stdout, "hello.txt".to_owned()),
    ];
    assert_eq!(fixture.server.lines(lease), expected);
    assert_eq!(fixture.server.state().started, [lease]);
    worker.stop().await;
}

#[tokio::test]
async fn a_short_step_costs_one_report() {
    let fixture = Fixture::new();
    let worker = fixture.start("");
    let lease = fixture.server.enqueue("print one");
    fixture.server.end_of(lease).await;
    assert_eq!(fixture.server.state().reports, 1, "start, log and end together");
    worker.stop().await;
}

#[tokio::test]
async fn failures_say_what_happened() {
    let fixture = Fixture::new();
    let worker = fixture.start("limits: {output: 20}");
    let invalid = |message: &str| Outcome::InvalidInput { message: message.to_owned() };
    for (script, expected) in [
        ("exit 3", Outcome::Failed { exit: Exit::ExitCode(3) }),
        ("error broken", Outcome::RunnerError { message: "broken".to_owned() }),
        ("panic", Outcome::RunnerError { message: "the worker failed while it ran the step".to_owned() }),
        (
            "print OUTPUT: {\"a\": \"0123456789012345678901234567890123456789\"}",
            Outcome::OutputTooLarge { limit: ByteSize(20) },
        ),
        (
            "print OUTPUT: nope",
            invalid(
                "the step's output is not JSON: expected ident at line 1 column 2 of what follows `OUTPUT:`",
            ),
        ),
    ] {
        let lease = fixture.server.enqueue(script);
        assert_eq!(fixture.server.end_of(lease).await, (expected, None), "{script}");
    }
    worker.stop().await;
}

#[tokio::test]
async fn secrets_are_hidden_on_every_way_out() {
    let fixture = Fixture::new();
    let worker = fixture.start("");
    let secrets = |spec: &mut stroem_core::StepSpec| spec.secrets = vec![Secret::new("hunter2".to_owned())];
    let script = "print a hunter2\nerr b hunter2\nnote c hunter2\nprint OUTPUT: {\"d\": \"hunter2\"}";
    let lease = fixture.server.enqueue_with(script, secrets);
    let (outcome, output) = fixture.server.end_of(lease).await;
    assert_eq!((outcome, output), (Outcome::Succeeded, Some(json!({"d": "••••••"}))));
    assert_eq!(texts(&fixture.server.lines(lease)), ["a ••••••", "b ••••••", "c ••••••"]);
    let lease = fixture.server.enqueue_with("error no hunter2", secrets);
    assert_eq!(
        fixture.server.end_of(lease).await.0,
        Outcome::RunnerError { message: "no ••••••".to_owned() }
    );
    worker.stop().await;
}

#[tokio::test]
async fn a_kill_stops_the_step_at_once() {
    let fixture = Fixture::new();
    let worker = fixture.start("");
    let lease = fixture.server.enqueue("print going\nwait never");
    fixture.server.until(|state| state.started.contains(&lease).then_some(())).await;
    fixture.server.set(|state| state.kills.insert(lease, None));
    assert_eq!(fixture.server.end_of(lease).await.0, Outcome::Cancelled);
    assert_eq!(texts(&fixture.server.lines(lease)), ["going"]);
    worker.stop().await;
}

#[tokio::test]
async fn a_step_whose_time_is_over_is_stopped() {
    let fixture = Fixture::new();
    let worker = fixture.start("");
    let limit = HumanDuration::from_millis(30);
    let lease = fixture.server.enqueue_with("wait never", |spec| spec.timeout = Some(limit));
    assert_eq!(fixture.server.end_of(lease).await.0, Outcome::TimedOut { limit });
    let lease = fixture.server.enqueue("wait never");
    fixture.server.until(|state| state.started.contains(&lease).then_some(())).await;
    fixture.server.set(|state| state.kills.insert(lease, Some(limit)));
    assert_eq!(fixture.server.end_of(lease).await.0, Outcome::TimedOut { limit });
    worker.stop().await;
}

#[tokio::test]
async fn a_lost_lease_stops_the_step_and_nothing_is_reported() {
    let fixture = Fixture::new();
    let worker = fixture.start("");
    let lease = fixture.server.enqueue("print going\nwait never");
    fixture.server.until(|state| state.started.contains(&lease).then_some(())).await;
    fixture.server.set(|state| state.leases.remove(&lease));
    let next = fixture.server.enqueue("print next");
    fixture.server.end_of(next).await;
    fixture.runner.until_stopped().await;
    assert_eq!(fixture.runner.stops(), [StopReason::LeaseLost]);
    assert!(!fixture.server.state().ended.iter().any(|(ended, ..)| *ended == lease));
    worker.stop().await;
}

#[tokio::test]
async fn a_stale_report_stops_the_step() {
    let fixture = Fixture::new();
    let worker = fixture.start("");
    let lease = fixture.server.enqueue("wait first\nprint stale\nwait never");
    fixture.server.until(|state| state.started.contains(&lease).then_some(())).await;
    // The lease goes without a word, as when the poll's answer is still to come.
    fixture.server.state().leases.clear();
    fixture.runner.open_gate("first");
    fixture.server.until(|state| (state.stale_reports > 0 || state.refused_chunks > 0).then_some(())).await;
    let next = fixture.server.enqueue("print next");
    fixture.server.end_of(next).await;
    fixture.runner.until_stopped().await;
    assert_eq!(fixture.runner.stops(), [StopReason::LeaseLost]);
    worker.stop().await;
}

#[tokio::test]
async fn no_more_steps_run_at_once_than_allowed() {
    let fixture = Fixture::new();
    let worker = fixture.start("max_concurrent: 3");
    let leases: Vec<_> = (0..20).map(|_| fixture.server.enqueue("print x\nwait go")).collect();
    fixture.server.until(|state| (state.started.len() == 3).then_some(())).await;
    fixture.runner.open_gate("go");
    for lease in &leases {
        assert_eq!(fixture.server.end_of(*lease).await.0, Outcome::Succeeded);
        assert_eq!(fixture.runner.runs(*lease), 1);
    }
    assert_eq!(fixture.runner.most_at_once(), 3);
    worker.stop().await;
}

#[tokio::test]
async fn a_free_slot_is_announced_while_a_poll_is_open() {
    let fixture = Fixture::new();
    let worker = fixture.start("max_concurrent: 1");
    let first = fixture.server.enqueue("wait go");
    fixture.server.until(|state| (state.polls.last()?.held == [first]).then_some(())).await;
    let second = fixture.server.enqueue("print second");
    fixture.runner.open_gate("go");
    fixture.server.end_of(second).await;
    worker.stop().await;
}

#[tokio::test]
async fn an_idle_worker_keeps_one_poll_open() {
    let fixture = Fixture::new();
    let mut worker = fixture.start("");
    assert!(worker.handle.registered().await);
    let lease = fixture.server.enqueue("print x");
    fixture.server.end_of(lease).await;
    fixture.server.until(|state| (state.polls.len() as u32 == state.answered_polls + 1).then_some(())).await;
    assert!(fixture.server.state().polls.len() <= 3);
    worker.stop().await;
}

#[tokio::test]
async fn steps_of_one_revision_share_a_download() {
    let fixture = Fixture::new();
    let worker = fixture.start("max_concurrent: 8");
    let leases: Vec<_> = (0..8).map(|_| fixture.server.enqueue("files")).collect();
    for lease in leases {
        fixture.server.end_of(lease).await;
        assert_eq!(texts(&fixture.server.lines(lease)), ["hello.txt"]);
    }
    assert_eq!(fixture.server.state().downloads, 1);
    worker.stop().await;
}

#[tokio::test]
async fn a_revision_that_the_server_does_not_have_fails_the_step() {
    let fixture = Fixture::new();
    fixture.server.set(|state| state.tarball = None);
    let worker = fixture.start("");
    let lease = fixture.server.enqueue("print x");
    let message = "the server does not give the workspace's files: refused: no_such_revision".to_owned();
    assert_eq!(fixture.server.end_of(lease).await.0, Outcome::RunnerError { message });
    worker.stop().await;
}

#[tokio::test]
async fn a_log_over_its_limit_keeps_head_and_tail() {
    let fixture = Fixture::new();
    let worker = fixture.start("limits: {log: 400Ki}");
    let lease = fixture.server.enqueue("lines 20000");
    fixture.server.end_of(lease).await;
    let lines = fixture.server.lines(lease);
    assert!(lines[0].1.ends_with(" 0") && lines.last().unwrap().1.ends_with(" 19999"));
    assert!(
        lines.iter().any(|(stream, text)| *stream == LogStream::Engine && text.contains("cut here")),
        "no notice"
    );
    let bytes: usize = lines.iter().map(|(_, text)| text.len() + 1).sum();
    assert!((300 << 10..=500 << 10).contains(&bytes), "{bytes}");
    worker.stop().await;
    let left =
        |name| std::fs::read_dir(fixture.dir.path().join("state").join(name)).map_or(0, Iterator::count);
    assert_eq!((left("tail"), left("spool")), (0, 0));
}
