//! What is left when an attempt, or a whole process, ends before its time.

use std::time::Duration;

use stroem_runner::{Runner, conformance::Subject};
use tokio::sync::{mpsc, watch};

use crate::support::{Docker, docker, script, subject};

/// Starts a script that waits, and gives up on it without a stop.
async fn abandoned(subject: &Docker) -> stroem_runner::RunRequest {
    let request = subject.request(script("echo up; sleep 1000"));
    let (events, mut inbox) = mpsc::channel(8);
    let (_stop, stopping) = watch::channel(None);
    let mut running = subject.runner.run(request.clone(), events, stopping);
    loop {
        tokio::select! {
            _ = &mut running => panic!("it waits"),
            event = inbox.recv() => {
                if let Some(stroem_runner::RunnerEvent::Output { .. }) = event {
                    return request;
                }
            }
        }
    }
}

async fn is_gone(subject: &Docker, request: &stroem_runner::RunRequest) -> bool {
    for _ in 0..200 {
        if subject.left_of(request).await.is_empty() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

#[tokio::test]
async fn an_attempt_that_is_dropped_takes_its_container_with_it() {
    let subject = subject!();
    let request = abandoned(&subject).await;
    assert!(is_gone(&subject, &request).await);
    subject.runner.cleanup(request.lease.attempt, &request.scratch).await;
    assert!(!request.scratch.exists());
}

/// A container as a crash leaves it.
fn left_by_a_crash(subject: &Docker, owner: &str) -> stroem_runner::RunRequest {
    let request = subject.request(script("true"));
    let key = request.lease.attempt;
    let (name, attempt) = (
        format!("stroem-{}", request.marker()),
        format!("dev.stroem.attempt={}-{}-{}", key.job, key.step, key.attempt),
    );
    let owner = format!("dev.stroem.owner={owner}");
    let fence = format!("dev.stroem.fence={}", request.lease.fence);
    let image = crate::support::IMAGE;
    let labels = ["--label", &attempt, "--label", &owner, "--label", &fence];
    let run = [&["run", "-d", "--name", &name], &labels[..], &[image, "sleep", "1000"]].concat();
    docker(&run).expect("a container");
    request
}

#[tokio::test]
async fn cleanup_removes_the_container_of_its_attempt_and_no_other() {
    let subject = subject!();
    let (mine, other) = (left_by_a_crash(&subject, "somebody"), left_by_a_crash(&subject, "somebody"));
    std::fs::create_dir_all(&mine.scratch).expect("made");
    for _ in 0..2 {
        subject.runner.cleanup(mine.lease.attempt, &mine.scratch).await;
        assert_eq!(subject.left_of(&mine).await, Vec::<String>::new());
        assert!(!mine.scratch.exists());
    }
    assert_eq!(subject.left_of(&other).await.len(), 1);
    subject.runner.cleanup(other.lease.attempt, &other.scratch).await;
    assert_eq!(subject.left_of(&other).await, Vec::<String>::new());
}

#[tokio::test]
async fn leftovers_are_found_by_the_lease_that_made_them_and_nothing_is_removed_unasked() {
    let subject = subject!();
    let (one, other) = (left_by_a_crash(&subject, "somebody"), left_by_a_crash(&subject, "somebody"));
    subject.runner.health().await.expect("an engine");
    let found = subject.runner.leftovers().await.expect("an engine");
    for request in [one, other] {
        assert!(found.contains(&request.lease), "{:?}", request.lease);
        assert_eq!(subject.left_of(&request).await.len(), 1);
        subject.runner.cleanup(request.lease.attempt, &request.scratch).await;
    }
}
