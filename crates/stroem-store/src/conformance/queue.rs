//! What the queue and the leases tell.

use stroem_core::{Fence, HumanDuration, LeaseKey, Outcome};
use stroem_engine::{Event, StopReason};

use super::support::{
    JobShape, at, chain, claim, claim_scripts, commit, create, fan, plan, tagged, tags, worker_id,
};
use crate::{QueueDepth, Store};

/// Queues exist while they have ready steps, and are counted up to a thousand.
pub async fn depths_and_keys_follow_the_queue(store: &dyn Store) {
    assert_eq!(store.queue_keys().await.expect("reads"), []);
    assert_eq!(store.queue_depths().await.expect("reads"), []);
    create(store, 1, plan("one", &[tagged("gpu"), tagged("gpu"), tagged("docker,gpu")])).await;
    let mut urgent = JobShape::new(2, plan("one", &[tagged("gpu")]));
    urgent.priority = 7;
    store.create(urgent.new_job()).await.expect("creates");
    create(store, 3, fan(1_200)).await;
    let depth = |key: &str, ready, oldest| QueueDepth { tags: tags(key), ready, oldest_ready_at: at(oldest) };
    let mut depths = store.queue_depths().await.expect("reads");
    depths.sort_by(|a, b| a.tags.cmp(&b.tags));
    assert_eq!(depths, [depth("docker,gpu", 1, 1), depth("gpu", 3, 1), depth("script", 1_000, 3)]);
    claim(store, 1, &["gpu"], 2, at(10)).await;
    assert_eq!(claim(store, 1, &["docker,gpu"], 9, at(11)).await.len(), 1);
    let mut keys = store.queue_keys().await.expect("reads");
    keys.sort();
    assert_eq!(keys, [tags("gpu"), tags("script")]);
    let depths = store.queue_depths().await.expect("reads");
    assert!(depths.contains(&depth("gpu", 1, 1)), "{depths:?}");
}

/// Old ready steps of one queue are found by age alone, whatever their priority.
pub async fn ready_since_gives_the_oldest_first(store: &dyn Store) {
    for (number, priority, key) in
        [(1, 0, "script"), (2, 5, "script"), (3, -1, "script"), (4, 0, "gpu"), (5, 9, "script")]
    {
        let mut job = JobShape::new(number, plan("one", &[tagged(key)]));
        job.priority = priority;
        store.create(job.new_job()).await.expect("creates");
    }
    for (key, before, limit, expected) in [
        ("script", 9, 9, vec![1, 2, 3, 5]),
        ("script", 3, 9, vec![1, 2, 3]),
        ("script", 9, 2, vec![1, 2]),
        ("script", 0, 9, vec![]),
        ("gpu", 9, 9, vec![4]),
        ("nobody", 9, 9, vec![]),
    ] {
        let found = store.ready_since(&tags(key), at(before), limit).await.expect("reads");
        let expected: Vec<_> =
            expected.into_iter().map(|number| (super::support::job_id(number), 0)).collect();
        assert_eq!(found, expected, "{key} before {before}");
    }
}

/// How many of the same queue come first; none for a step that does not wait.
pub async fn ahead_counts_what_would_be_claimed_before(store: &dyn Store) {
    let first = create(store, 1, fan(3)).await;
    let second = create(store, 2, plan("two", &[tagged("script"), tagged("gpu")])).await;
    let mut urgent = JobShape::new(3, fan(1));
    urgent.priority = 1;
    store.create(urgent.new_job()).await.expect("creates");
    for (job, step, expected) in
        [(&urgent, 0, 0), (&first, 0, 1), (&first, 2, 3), (&second, 0, 4), (&second, 1, 0)]
    {
        assert_eq!(store.ahead(job.id(), step).await.expect("reads"), Some(expected), "job {}", job.number);
    }
    claim_scripts(store, 1, 2, at(5)).await;
    assert_eq!(store.ahead(first.id(), 0).await.expect("reads"), None, "it was claimed");
    assert_eq!(store.ahead(second.id(), 0).await.expect("reads"), Some(2));
    assert_eq!(store.ahead(second.id(), 9).await.expect("reads"), None);
}

/// A worker's leases with their times and the wish to stop them.
pub async fn leases_are_listed_by_worker(store: &dyn Store) {
    let mut timed = fan(3);
    timed.timeout = Some(HumanDuration::from_secs(60));
    let job = create(store, 1, timed).await;
    let mine = claim_scripts(store, 1, 2, at(2)).await;
    let others = claim_scripts(store, 2, 2, at(3)).await;
    let stored = store.leases(worker_id(1)).await.expect("reads");
    assert_eq!(stored.iter().map(|row| row.lease).collect::<Vec<_>>(), mine);
    assert!(
        stored.iter().all(|row| row.claimed_at == at(2) && row.worker == worker_id(1) && row.kill.is_none())
    );
    commit(store, &job, vec![Event::JobDeadline], at(60_001)).await;
    let stored = store.leases(worker_id(2)).await.expect("reads");
    assert_eq!(stored.iter().map(|row| row.lease).collect::<Vec<_>>(), others);
    assert_eq!(stored[0].kill, Some(StopReason::TimedOut { limit: HumanDuration::from_secs(60) }));
    assert_eq!(store.leases(worker_id(3)).await.expect("reads"), []);
}

/// Whose fence it was is known also after the attempt ended; a fence that nobody had is known as such.
pub async fn an_attempt_is_known_by_its_fence(store: &dyn Store) {
    let job = create(store, 1, chain(1)).await;
    let first = claim_scripts(store, 1, 1, at(2)).await[0];
    let lost = Event::AttemptEnded { lease: first, outcome: Outcome::WorkerLost, output: None };
    commit(store, &job, vec![lost], at(3)).await;
    let second = claim_scripts(store, 2, 1, at(4)).await[0];
    let mixed = LeaseKey { fence: second.fence, ..first };
    let invented = LeaseKey { fence: Fence(second.fence.0 + 1), ..second };
    for (lease, expected) in [(first, true), (second, true), (mixed, false), (invented, false)] {
        assert_eq!(store.is_attempt_of(lease).await.expect("reads"), expected, "{lease:?}");
    }
}
