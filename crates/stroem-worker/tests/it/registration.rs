//! How the worker introduces itself.

use stroem_worker::WorkerError;

use crate::fixture::Fixture;

#[tokio::test]
async fn a_wrong_token_is_fatal() {
    let fixture = Fixture::new();
    fixture.server.set(|state| state.refuse_registration = Some((401, "bad_worker_token")));
    let worker = fixture.start("");
    assert!(matches!(worker.task.await.unwrap(), Err(WorkerError::Token { .. })));
}

#[tokio::test]
async fn a_name_that_is_taken_is_tried_again() {
    let fixture = Fixture::new();
    fixture.server.set(|state| state.refuse_registration = Some((409, "worker_name_taken")));
    let mut worker = fixture.start("");
    fixture.server.until(|state| (state.registrations.len() >= 2).then_some(())).await;
    fixture.server.set(|state| state.refuse_registration = None);
    assert!(worker.handle.registered().await);
    worker.stop().await;
}

#[tokio::test]
async fn a_tag_without_its_runner_is_withdrawn_with_a_reason() {
    let fixture = Fixture::new();
    let mut worker =
        fixture.start("tags: [script, docker, gpu]\ndocker: {}\nmax_concurrent: 3\nexclusive: true");
    assert!(worker.handle.registered().await);
    let request = fixture.server.state().registrations[0].clone();
    assert_eq!(request.tags.queue_key(), "gpu,script");
    let reason = "this version of the worker has no docker runner yet".to_owned();
    assert_eq!(request.withdrawn, [("docker".to_owned(), reason)]);
    assert_eq!((request.name.as_str(), request.capacity, request.exclusive), ("w1", 3, true));
    worker.stop().await;
}

#[tokio::test]
async fn a_worker_that_ends_before_it_is_known_just_ends() {
    let fixture = Fixture::new();
    fixture.server.set(|state| state.down = true);
    let mut worker = fixture.start("");
    worker.shutdown.cancel();
    assert!(!worker.handle.registered().await);
    worker.task.await.unwrap().unwrap();
}
