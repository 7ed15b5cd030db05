//! Workers and their sessions.

use stroem_core::{InstanceId, WorkerId};

use super::support::{
    at, chain, claim_scripts, commit, create, instance_id, registration, succeeded, tags, worker_id,
};
use crate::{RegisterOutcome, Registration, Store, WorkerRow};

fn expected(id: WorkerId, registration: &Registration) -> WorkerRow {
    WorkerRow {
        id,
        name: registration.name.clone(),
        instance: registration.instance,
        tags: registration.tags.clone(),
        withdrawn: registration.withdrawn.clone(),
        exclusive: registration.exclusive,
        capacity: registration.capacity,
        version: registration.version.clone(),
        registered_at: registration.now,
        last_seen: registration.now,
        draining: false,
        gone_at: None,
    }
}

async fn register(store: &dyn Store, registration: &Registration) -> RegisterOutcome {
    store.register(registration.clone()).await.expect("registers")
}

/// The name decides: a later registration keeps the first id and takes the new values.
pub async fn a_worker_keeps_its_id_for_ever(store: &dyn Store) {
    let first = registration(1, 11, at(1));
    assert_eq!(register(store, &first).await, RegisterOutcome::Registered(worker_id(1)));
    assert_eq!(store.workers().await.expect("reads"), [expected(worker_id(1), &first)]);
    for draining in [true, false, true] {
        store.set_draining(worker_id(1), draining).await.expect("notes");
        assert_eq!(store.workers().await.expect("reads")[0].draining, draining);
    }
    assert!(store.gone(worker_id(1), instance_id(11), at(2)).await.expect("notes"));
    let second = Registration {
        new_id: worker_id(9),
        tags: tags("script"),
        withdrawn: Vec::new(),
        exclusive: true,
        capacity: 16,
        version: "2.0.0".to_owned(),
        ..registration(1, 12, at(3))
    };
    assert_eq!(register(store, &second).await, RegisterOutcome::Registered(worker_id(1)));
    assert_eq!(store.workers().await.expect("reads"), [expected(worker_id(1), &second)]);
    register(store, &registration(0, 13, at(4))).await;
    let names: Vec<_> =
        store.workers().await.expect("reads").iter().map(|row| row.name.to_string()).collect();
    assert_eq!(names, ["w0", "w1"], "sorted by name");
}

/// Alive is who was seen since the given time; only then is another instance refused.
pub async fn a_second_live_instance_is_refused(store: &dyn Store) {
    let first = registration(1, 11, at(1_000));
    register(store, &first).await;
    let second = Registration { alive_since: at(1_000), ..registration(1, 12, at(1_500)) };
    assert_eq!(register(store, &second).await, RegisterOutcome::NameTaken { last_seen: at(1_000) });
    assert_eq!(store.session(second.session_hash).await.expect("reads"), None);
    let same = Registration { alive_since: at(1_000), ..registration(1, 11, at(1_600)) };
    assert_eq!(register(store, &same).await, RegisterOutcome::Registered(worker_id(1)), "the same instance");
    let late = Registration { alive_since: at(1_601), ..registration(1, 12, at(9_000)) };
    assert_eq!(
        register(store, &late).await,
        RegisterOutcome::Registered(worker_id(1)),
        "the first was silent"
    );
    assert!(store.gone(worker_id(1), instance_id(12), at(9_001)).await.expect("notes"));
    let next = Registration { alive_since: at(0), ..registration(1, 13, at(9_002)) };
    assert_eq!(
        register(store, &next).await,
        RegisterOutcome::Registered(worker_id(1)),
        "the second said goodbye"
    );
}

/// A new registration ends the older session; leaving ends the newest.
pub async fn only_the_newest_session_counts(store: &dyn Store) {
    let (first, second) = (registration(1, 11, at(1)), registration(1, 11, at(2)));
    register(store, &first).await;
    let row = store.session(first.session_hash).await.expect("reads");
    assert_eq!(row, Some(expected(worker_id(1), &first)));
    register(store, &second).await;
    assert_eq!(store.session(first.session_hash).await.expect("reads"), None);
    assert_eq!(
        store.session(second.session_hash).await.expect("reads"),
        Some(expected(worker_id(1), &second))
    );
    assert!(store.gone(worker_id(1), instance_id(11), at(3)).await.expect("notes"));
    assert_eq!(store.session(second.session_hash).await.expect("reads"), None);
    assert_eq!(store.session([7; 32]).await.expect("reads"), None);
}

/// Judging an older instance does not touch the newer one.
pub async fn a_worker_that_left_is_gone_unless_a_newer_instance_came(store: &dyn Store) {
    register(store, &registration(1, 11, at(1))).await;
    register(store, &Registration { alive_since: at(2), ..registration(1, 12, at(3)) }).await;
    let gone = |instance: InstanceId| store.gone(worker_id(1), instance, at(5));
    assert!(!gone(instance_id(11)).await.expect("notes"));
    assert_eq!(store.workers().await.expect("reads")[0].gone_at, None);
    assert!(gone(instance_id(12)).await.expect("notes"));
    assert_eq!(store.workers().await.expect("reads")[0].gone_at, Some(at(5)));
    assert!(store.gone(worker_id(1), instance_id(12), at(6)).await.expect("notes"), "said twice");
    assert_eq!(store.workers().await.expect("reads")[0].gone_at, Some(at(5)), "the first time stays");
    assert!(!store.gone(worker_id(8), instance_id(12), at(5)).await.expect("notes"), "nobody");
}

/// Late news of a heartbeat do not make a worker look older.
pub async fn seen_never_goes_back(store: &dyn Store) {
    register(store, &registration(1, 11, at(1))).await;
    register(store, &registration(2, 12, at(1))).await;
    store
        .seen(vec![(worker_id(1), at(50)), (worker_id(2), at(60)), (worker_id(9), at(70))])
        .await
        .expect("notes");
    store.seen(vec![(worker_id(1), at(40))]).await.expect("notes");
    store.seen(Vec::new()).await.expect("notes");
    let seen: Vec<_> = store.workers().await.expect("reads").iter().map(|row| row.last_seen).collect();
    assert_eq!(seen, [at(50), at(60)]);
}

/// Who is gone for long and holds nothing is forgotten.
pub async fn gone_workers_are_forgotten_when_they_hold_no_lease(store: &dyn Store) {
    for number in 1..=4 {
        register(store, &registration(number, number + 10, at(1))).await;
    }
    let job = create(store, 1, chain(1)).await;
    let lease = claim_scripts(store, 2, 1, at(2)).await[0];
    for (number, gone_at) in [(1, 5), (2, 5), (3, 50)] {
        store.gone(worker_id(number), instance_id(number + 10), at(gone_at)).await.expect("notes");
    }
    assert_eq!(store.forget(at(20)).await.expect("forgets"), 1);
    let names = || async {
        store.workers().await.expect("reads").iter().map(|row| row.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["w2", "w3", "w4"]);
    commit(store, &job, vec![succeeded(lease, None)], at(30)).await;
    assert_eq!(store.forget(at(20)).await.expect("forgets"), 1);
    assert_eq!(names().await, ["w3", "w4"]);
}
