//! Lost replies, a server that is away, a worker that is killed.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use stroem_api::ControlPlane;
use stroem_core::Outcome;
use stroem_worker::Worker;
use tokio_util::sync::CancellationToken;

use crate::{
    fixture::{Fixture, options},
    server::Server,
};

const PATHS: [&str; 3] = ["/worker/poll", "/worker/report", "/worker/register"];

#[tokio::test]
async fn a_lost_reply_of_any_call_loses_and_doubles_nothing() {
    for path in PATHS {
        let fixture = Fixture::new();
        fixture.server.set(|state| state.lose.insert(path, 3));
        let worker = fixture.start("");
        let leases: Vec<_> =
            (0..10).map(|n| fixture.server.enqueue(&format!("print {n}\nprint OUTPUT: {n}"))).collect();
        for (number, lease) in leases.into_iter().enumerate() {
            assert_eq!(
                fixture.server.end_of(lease).await,
                (Outcome::Succeeded, Some(json!(number))),
                "{path}"
            );
            assert_eq!(fixture.server.lines(lease).len(), 1, "{path}");
            assert_eq!(fixture.runner.runs(lease), 1, "{path}");
        }
        assert!(fixture.server.state().lose[path] < 3, "{path}");
        worker.stop().await;
    }
}

#[tokio::test]
async fn a_claim_that_is_sent_twice_runs_once() {
    let fixture = Fixture::new();
    let worker = fixture.start("");
    let lease = fixture.server.enqueue("print x\nwait go");
    fixture.server.until(|state| state.started.contains(&lease).then_some(())).await;
    // A server that forgot that it told the worker.
    fixture.server.set(|state| {
        let claim = state.leases[&lease].clone();
        state.queue.push_back(claim);
    });
    fixture.server.until(|state| (state.queue.is_empty() && state.answered_polls >= 2).then_some(())).await;
    fixture.runner.open_gate("go");
    assert_eq!(fixture.server.end_of(lease).await.0, Outcome::Succeeded);
    assert_eq!(fixture.runner.runs(lease), 1);
    worker.stop().await;
}

#[tokio::test]
async fn a_server_that_is_away_during_a_step_gets_every_line_once_and_in_order() {
    let fixture = Fixture::new();
    let worker = fixture.start("");
    let lease = fixture.server.enqueue("lines 3000\nwait down\nlines 7000\nprint OUTPUT: 1\nwait up");
    fixture.server.until(|state| state.chunks.get(&lease.attempt).map(|_| ())).await;
    fixture.server.set(|state| state.down = true);
    fixture.runner.open_gate("down");
    fixture.server.until(|state| (state.refused_calls >= 10).then_some(())).await;
    fixture.server.set(|state| state.down = false);
    fixture.runner.open_gate("up");
    assert_eq!(fixture.server.end_of(lease).await, (Outcome::Succeeded, Some(json!(1))));
    let lines = fixture.server.lines(lease);
    assert_eq!(lines.len(), 10_000);
    for (index, (_, text)) in lines.iter().enumerate() {
        let number = if index < 3000 { index } else { index - 3000 };
        assert!(text.ends_with(&format!(" {number}")), "{index}: {text}");
    }
    worker.stop().await;
}

#[tokio::test]
async fn a_worker_that_starts_before_its_server_waits_for_it() {
    let fixture = Fixture::new();
    fixture.server.set(|state| state.down = true);
    let worker = fixture.start("");
    let lease = fixture.server.enqueue("print x");
    fixture.server.until(|state| (state.refused_calls >= 2).then_some(())).await;
    fixture.server.set(|state| state.down = false);
    assert_eq!(fixture.server.end_of(lease).await.0, Outcome::Succeeded);
    worker.stop().await;
}

#[tokio::test]
async fn a_forgotten_session_is_renewed_with_the_surviving_leases() {
    let fixture = Fixture::new();
    let worker = fixture.start("");
    let lease = fixture.server.enqueue("wait go");
    fixture.server.until(|state| state.started.contains(&lease).then_some(())).await;
    fixture.server.set(|state| state.session += 100);
    fixture.server.until(|state| (state.registrations.len() == 2).then_some(())).await;
    assert_eq!(fixture.server.state().registrations[1].surviving, [lease]);
    fixture.runner.open_gate("go");
    assert_eq!(fixture.server.end_of(lease).await.0, Outcome::Succeeded);
    worker.stop().await;
}

/// Runs a worker in a runtime of its own, which `die` ends like a `kill -9`: nothing runs on.
fn start_mortal(fixture: &Fixture) -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let options = options(fixture.dir.path(), &fixture.runner, "");
    let worker = Worker::new(options, ControlPlane::new(Arc::new(fixture.server.clone()))).unwrap();
    runtime.spawn(worker.run(CancellationToken::new()));
    runtime
}

#[expect(clippy::disallowed_methods, reason = "joined at once; a runtime cannot be ended inside of another")]
fn die(runtime: tokio::runtime::Runtime) {
    std::thread::spawn(move || runtime.shutdown_timeout(Duration::from_secs(5))).join().unwrap();
}

/// Waits until the journal has a result.
async fn journal_of(fixture: &Fixture) {
    let journal = fixture.dir.path().join("state/journal");
    let written = |path: &std::path::Path| {
        let entries = std::fs::read_dir(path).ok()?;
        entries.flatten().any(|file| file.metadata().is_ok_and(|meta| meta.len() > 0)).then_some(())
    };
    while written(&journal).is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn dies_with_an_unheard_result(
    script: &str,
    server_goes: impl Fn(&Server),
) -> (Fixture, stroem_core::LeaseKey) {
    let fixture = Fixture::new();
    let first = start_mortal(&fixture);
    let lease = fixture.server.enqueue(script);
    fixture.server.until(|state| state.started.contains(&lease).then_some(())).await;
    server_goes(&fixture.server);
    fixture.runner.open_gate("go");
    journal_of(&fixture).await;
    die(first);
    fixture.server.set(|state| state.down = false);
    (fixture, lease)
}

#[tokio::test]
async fn a_result_survives_the_death_of_its_worker() {
    for script in ["wait go\nprint x\nprint OUTPUT: 7", "wait go\nlines 20000\nprint OUTPUT: 7"] {
        let (fixture, lease) =
            dies_with_an_unheard_result(script, |server| server.set(|state| state.down = true)).await;
        assert!(fixture.server.state().ended.is_empty());
        let second = fixture.start("");
        assert_eq!(fixture.server.end_of(lease).await, (Outcome::Succeeded, Some(json!(7))), "{script}");
        assert_eq!(fixture.server.state().registrations[1].surviving, [lease]);
        let lines = fixture.server.lines(lease).len();
        assert_eq!(lines, if script.contains("20000") { 20_000 } else { 1 });
        assert_eq!(fixture.runner.runs(lease), 1);
        second.stop().await;
    }
}

#[tokio::test]
async fn a_step_that_died_with_its_worker_does_not_survive_it() {
    let fixture = Fixture::new();
    let first = start_mortal(&fixture);
    let lease = fixture.server.enqueue("print x\nwait never");
    fixture.server.until(|state| state.started.contains(&lease).then_some(())).await;
    die(first);
    let second = fixture.start("");
    fixture.server.until(|state| (state.registrations.len() == 2).then_some(())).await;
    assert_eq!(fixture.server.state().registrations[1].surviving, []);
    fixture.server.until(|state| state.leases.is_empty().then_some(())).await;
    assert_eq!(*fixture.runner.cleaned.lock().unwrap(), [lease.attempt]);
    second.stop().await;
}

#[tokio::test]
async fn a_step_of_a_burst_costs_at_most_one_poll_and_one_report() {
    let fixture = Fixture::new();
    let worker = fixture.start("max_concurrent: 50");
    let leases: Vec<_> = (0..200).map(|_| fixture.server.enqueue("print x")).collect();
    for lease in leases {
        fixture.server.end_of(lease).await;
    }
    let (reports, polls) = {
        let state = fixture.server.state();
        (state.reports, state.polls.len())
    };
    assert!(reports <= 205 && polls <= 205, "{reports} reports, {polls} polls");
    worker.stop().await;
}

#[tokio::test]
async fn no_call_is_much_larger_than_a_mebibyte() {
    let fixture = Fixture::new();
    let worker = fixture.start("");
    let lease = fixture.server.enqueue("lines 60000");
    fixture.server.end_of(lease).await;
    assert_eq!(fixture.server.lines(lease).len(), 60_000);
    assert!(fixture.server.state().largest_report < (3 << 20) / 2);
    worker.stop().await;
}

#[tokio::test]
async fn a_step_whose_log_cannot_be_kept_is_stopped_and_says_why() {
    let fixture = Fixture::new();
    let worker = fixture.start("");
    let lease = fixture.server.enqueue("print x\nwait down\nlines 20000\nwait never");
    fixture.server.until(|state| state.started.contains(&lease).then_some(())).await;
    // A file where the directory should be: nothing can be written below it.
    std::fs::write(fixture.dir.path().join("state/spool"), "").unwrap();
    fixture.server.set(|state| state.down = true);
    fixture.runner.open_gate("down");
    fixture.runner.until_stopped().await;
    fixture.server.set(|state| state.down = false);
    let (outcome, _) = fixture.server.end_of(lease).await;
    assert!(
        matches!(&outcome, Outcome::RunnerError { message } if message.contains("cannot create")),
        "{outcome:?}"
    );
    worker.stop().await;
}
