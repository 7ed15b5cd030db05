//! Attempts that outlive a worker: what it tells of them, what it leaves, what it takes over, what it removes.

use std::time::Duration;

use stroem_api::worker::{Adopted, StoredLog};
use stroem_core::{HumanDuration, LeaseKey, Mark, Outcome, Runtime};
use stroem_logs::chunk::LogStream::{Engine, Stderr, Stdout};
use stroem_runner::StopReason;

use crate::{fixture::Fixture, runner::runtime};

impl Fixture {
    /// An attempt that runs already and is to be taken over by whoever polls next.
    async fn offer(&self, script: &str, adopted: Adopted, limit: Option<HumanDuration>) -> LeaseKey {
        self.server.until(|state| (!state.polls.is_empty()).then_some(())).await;
        self.server.set(|state| {
            let mut claim = state.claim(script, |spec| spec.timeout = limit);
            claim.adopted = Some(adopted);
            state.leases.insert(claim.lease, claim.clone());
            claim.lease
        })
    }
}

fn adopted(log: StoredLog) -> Adopted {
    Adopted { runtime: runtime(), running_ms: Some(0), log }
}

#[tokio::test]
async fn what_is_stored_of_an_adopted_log_is_dropped_and_the_rest_follows_it() {
    let fixture = Fixture::new();
    let _worker = fixture.start("max_concurrent: 1");
    let log = StoredLog { next_seq: 3, raw_bytes: 40, stdout_lines: 2, stderr_lines: 1 };
    let script =
        "print one\nerr oops\nprint OUTPUT: {\"a\": 1}\nprint two\nprint three\nerr again\nnote more";
    let lease = fixture.offer(script, adopted(log), None).await;
    let end = fixture.server.end_of(lease).await;
    assert_eq!(end, (Outcome::Succeeded, Some(serde_json::json!({"a": 1}))), "the output was before the gap");
    let text = |text: &str| text.to_owned();
    let expected = [(Stdout, text("three")), (Stderr, text("again")), (Engine, text("more"))];
    assert_eq!(fixture.server.lines(lease), expected);
    assert_eq!(fixture.server.state().chunks[&lease.attempt][0].seq, 3);
    assert_eq!(*fixture.runner.adopted.lock().unwrap(), [runtime()]);
    assert_eq!(fixture.server.state().started, [], "it began before, and the server knows");
}

#[tokio::test]
async fn a_mark_says_how_many_lines_are_before_it() {
    let fixture = Fixture::new();
    let _worker = fixture.start("max_concurrent: 1");
    let script = "place\nprint one\nerr x\nmark p1\nprint two\nmark p2\nprint OUTPUT: 1\nmark p3";
    let lease = fixture.server.enqueue(script);
    fixture.server.end_of(lease).await;
    let mark = |place: &str, stdout_lines, stderr_lines| {
        Some(Mark { place: place.to_owned(), stdout_lines, stderr_lines })
    };
    let placed = fixture.server.state().placed.clone();
    let marks: Vec<_> = placed.iter().map(|(_, runtime)| runtime.mark.clone()).collect();
    assert_eq!(marks, [None, mark("p1", 1, 1), mark("p2", 2, 1)], "an output would be lost with a later one");
    assert!(
        placed.iter().all(|(of, place)| *of == lease && Runtime { mark: None, ..place.clone() } == runtime())
    );
}

#[tokio::test]
async fn an_adopter_counts_on_from_the_mark() {
    let fixture = Fixture::new();
    let _worker = fixture.start("max_concurrent: 1");
    let mark = Mark { place: "p1".to_owned(), stdout_lines: 10, stderr_lines: 4 };
    let log = StoredLog { next_seq: 1, raw_bytes: 99, stdout_lines: 11, stderr_lines: 4 };
    let runtime = Runtime { mark: Some(mark), ..runtime() };
    let script = "print eleven\nerr five\nprint twelve\nmark p2";
    let lease = fixture.offer(script, Adopted { runtime, ..adopted(log) }, None).await;
    fixture.server.end_of(lease).await;
    let lines = fixture.server.lines(lease);
    assert_eq!(lines, [(Stderr, "five".to_owned()), (Stdout, "twelve".to_owned())]);
    let placed = fixture.server.state().placed.clone();
    assert_eq!(placed[0].1.mark, Some(Mark { place: "p2".to_owned(), stdout_lines: 12, stderr_lines: 5 }));
}

#[tokio::test]
async fn an_adopted_attempt_needs_no_slot_and_hears_of_its_cancel() {
    let fixture = Fixture::new();
    let _worker = fixture.start("max_concurrent: 1");
    let own = fixture.server.enqueue("print up\nwait never");
    fixture.server.until(|state| state.started.contains(&own).then_some(())).await;
    let lease = fixture.offer("wait never", adopted(StoredLog::default()), None).await;
    fixture.server.set(|state| state.kills.insert(lease, None));
    assert_eq!(fixture.server.end_of(lease).await.0, Outcome::Cancelled);
    assert_eq!(fixture.runner.runs(own), 1);
}

#[tokio::test]
async fn the_time_of_an_adopted_attempt_has_begun_already() {
    let fixture = Fixture::new();
    let _worker = fixture.start("max_concurrent: 1");
    let limit = HumanDuration::from_secs(3_600);
    let late = Adopted { running_ms: Some(3_599_950), ..adopted(StoredLog::default()) };
    let lease = fixture.offer("wait never", late, Some(limit)).await;
    assert_eq!(fixture.server.end_of(lease).await.0, Outcome::TimedOut { limit });
}

#[tokio::test]
async fn a_placed_attempt_whose_lease_is_lost_is_let_go() {
    let fixture = Fixture::new();
    let _worker = fixture.start("max_concurrent: 1");
    let lease = fixture.server.enqueue("place\nprint up\nwait never");
    fixture.server.until(|state| (!state.placed.is_empty()).then_some(())).await;
    fixture.server.set(|state| state.leases.remove(&lease));
    fixture.runner.until_stopped().await;
    assert_eq!(fixture.runner.stops(), [StopReason::LetGo]);
    assert_eq!(*fixture.runner.cleaned.lock().unwrap(), [], "it may be another worker's");
}

#[tokio::test]
async fn a_drain_that_takes_too_long_lets_placed_attempts_go_with_all_that_is_known_of_them() {
    let fixture = Fixture::new();
    let mut options = fixture.options("");
    options.drain_timeout = Duration::from_millis(30);
    let worker = fixture.start_with(options);
    let lease = fixture.server.enqueue("place\nprint up\nwait never");
    fixture.server.until(|state| state.started.contains(&lease).then_some(())).await;
    worker.stop().await;
    assert_eq!(fixture.runner.stops(), [StopReason::LetGo]);
    let state = fixture.server.state();
    assert!(state.left && state.ended.is_empty(), "{:?}", state.ended);
    assert_eq!(state.placed.len(), 1);
    drop(state);
    assert_eq!(fixture.server.lines(lease), [(Stdout, "up".to_owned())]);
}

#[tokio::test]
async fn a_worker_that_hands_nothing_over_places_nothing_and_stops_what_runs() {
    let fixture = Fixture::new();
    let mut options = fixture.options("");
    (options.drain_timeout, options.hands_over) = (Duration::from_millis(30), false);
    let worker = fixture.start_with(options);
    let lease = fixture.server.enqueue("place\nprint up\nwait never");
    fixture.server.until(|state| state.started.contains(&lease).then_some(())).await;
    worker.stop().await;
    assert_eq!(fixture.runner.stops(), [StopReason::Drain]);
    assert_eq!(fixture.server.state().placed, []);
    assert!(fixture.server.state().polls.iter().all(|poll| poll.scopes.is_empty()));
}

#[tokio::test]
async fn a_sweep_removes_what_the_server_calls_dead_and_only_when_it_can_say_so() {
    let fixture = Fixture::new();
    let (dead, alive) =
        fixture.server.set(|state| (state.claim("", |_| {}).lease, state.claim("", |_| {}).lease));
    *fixture.runner.leftovers.lock().unwrap() = vec![dead, alive];
    // The first answers are lost: the worker has not heard that it is dead.
    fixture.server.set(|state| {
        state.dead.push(dead);
        state.lose.insert("/worker/leftovers", 1);
    });
    let _worker = fixture.start("");
    fixture.server.until(|state| (state.asked >= 1).then_some(())).await;
    assert_eq!(*fixture.runner.cleaned.lock().unwrap(), []);
    fixture.server.until(|state| (state.asked >= 2).then_some(())).await;
    let removed = async {
        while fixture.runner.leftovers.lock().unwrap().contains(&dead) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), removed).await.expect("removed within 20 s");
    assert_eq!(*fixture.runner.cleaned.lock().unwrap(), [dead.attempt]);
}
