//! The end of a worker.

use stroem_core::Outcome;
use stroem_runner::StopReason;

use crate::fixture::Fixture;

#[tokio::test]
async fn draining_lets_running_steps_end_and_hands_the_others_back() {
    let fixture = Fixture::new();
    let worker = fixture.start("max_concurrent: 1");
    let running = fixture.server.enqueue("wait go\nprint done");
    fixture.server.until(|state| state.started.contains(&running).then_some(())).await;
    // A second claim for the only slot, as an overtaken poll may bring one.
    let waiting = fixture.server.set(|state| {
        let claim = state.claim("print never", |_| {});
        state.leases.insert(claim.lease, claim.clone());
        claim.lease
    });
    fixture.server.until(|state| state.polls.last()?.held.contains(&waiting).then_some(())).await;
    worker.shutdown.cancel();
    fixture.server.until(|state| state.handed_back.contains(&waiting).then_some(())).await;
    let late = fixture.server.enqueue("print late");
    fixture.runner.open_gate("go");
    worker.task.await.unwrap().unwrap();
    let state = fixture.server.state();
    assert!(state.left);
    assert!(state.drain_heartbeats > 0);
    assert_eq!(state.ended, [(running, Outcome::Succeeded, None)]);
    assert_eq!((fixture.runner.runs(waiting), fixture.runner.runs(late)), (0, 0));
    assert!(!state.chunks.contains_key(&waiting.attempt), "a claim that is handed back leaves no log");
}

#[tokio::test]
async fn a_drain_that_takes_too_long_stops_the_steps() {
    let fixture = Fixture::new();
    let mut options = fixture.options("");
    options.drain_timeout = std::time::Duration::from_millis(30);
    let worker = fixture.start_with(options);
    let lease = fixture.server.enqueue("print x\nwait never");
    fixture.server.until(|state| state.started.contains(&lease).then_some(())).await;
    worker.stop().await;
    assert_eq!(fixture.runner.stops(), [StopReason::Drain]);
    assert_eq!(fixture.server.end_of(lease).await.0, Outcome::WorkerLost);
    assert!(fixture.server.state().left);
}

#[tokio::test]
async fn a_second_signal_ends_the_drain() {
    let fixture = Fixture::new();
    let worker = fixture.start("");
    let lease = fixture.server.enqueue("wait never");
    fixture.server.until(|state| state.started.contains(&lease).then_some(())).await;
    worker.shutdown.cancel();
    worker.handle.end_at_once();
    worker.task.await.unwrap().unwrap();
    assert_eq!(fixture.server.end_of(lease).await.0, Outcome::WorkerLost);
}

#[tokio::test]
async fn a_drained_worker_leaves_nothing_on_its_disk() {
    let fixture = Fixture::new();
    let worker = fixture.start("");
    for _ in 0..3 {
        let lease = fixture.server.enqueue("lines 100");
        fixture.server.end_of(lease).await;
    }
    worker.stop().await;
    let state = fixture.dir.path().join("state");
    for folder in ["spool", "tail", "scratch"] {
        assert_eq!(std::fs::read_dir(state.join(folder)).map_or(0, Iterator::count), 0, "{folder}");
    }
    let second = fixture.start("");
    fixture.server.until(|state| (state.registrations.len() == 2).then_some(())).await;
    assert_eq!(fixture.server.state().registrations[1].surviving, []);
    second.stop().await;
}
