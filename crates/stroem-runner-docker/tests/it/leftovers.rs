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
    let image = crate::support::IMAGE;
    docker(&["run", "-d", "--name", &name, "--label", &attempt, "--label", &owner, image, "sleep", "1000"])
        .expect("a container");
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
async fn a_worker_that_comes_back_removes_its_own_leftovers_only() {
    let owner = format!("test-sweep-{}", std::process::id());
    let name = owner.clone();
    let subject = subject!(|options| options.owner = name);
    let (mine, other) = (left_by_a_crash(&subject, &owner), left_by_a_crash(&subject, "somebody"));
    subject.runner.health().await.expect("an engine");
    assert_eq!(subject.left_of(&mine).await, Vec::<String>::new());
    assert_eq!(subject.left_of(&other).await.len(), 1);
    subject.runner.cleanup(other.lease.attempt, &other.scratch).await;
}
