//! Jobs: creation, reading back, footprints.

use serde_json::{Map, Value, json};
use stroem_core::{JobStatus, StepStatus};
use stroem_engine::{Applied, Batch, Effect, Event, Footprint};

use super::{
    model::Model,
    support::{
        StepShape, after, at, chain, claim_scripts, commit, create, fan, job_id, plan, succeeded, whole,
    },
};
use crate::{Store, StoreError, conformance::support::JobShape};

/// Every row of a new job, its input and its plan come back as they were written.
pub async fn a_new_job_reads_back_whole(store: &dyn Store) {
    let steps = [after(&[]), after(&[0]), StepShape { when: Some("false"), ..after(&[]) }];
    let mut shape = JobShape::new(1, plan("greet", &steps));
    shape.input = [("name".to_owned(), json!("Ada")), ("times".to_owned(), json!(3))].into_iter().collect();
    shape.source = ("user", Some("ada"));
    let committed = store.create(shape.new_job()).await.expect("creates");
    let mut model = Model::default();
    assert_eq!(committed.result, model.create(&shape));
    assert!(committed.result.effects.iter().any(|effect| matches!(effect, Effect::Ready { .. })));
    let detail = whole(store, &shape, &[]).await;
    assert_eq!(detail, model.detail(shape.id()));
    assert_eq!(detail.steps[2].row.status, StepStatus::Skipped);
    assert_eq!(store.job(shape.id()).await.expect("reads"), Some(detail.job));
    assert_eq!(store.plan(shape.hash).await.expect("reads").as_deref(), Some(&*shape.plan));
    let step = store.step(shape.id(), 1).await.expect("reads").expect("exists");
    assert_eq!(step.step, detail.steps[1]);
}

/// A plan is written once; many jobs share it.
pub async fn a_plan_is_shared_by_its_jobs(store: &dyn Store) {
    let first = create(store, 1, chain(3)).await;
    let second = create(store, 2, chain(3)).await;
    let other = create(store, 3, chain(4)).await;
    assert_eq!(first.hash, second.hash);
    for job in [&first, &second, &other] {
        assert_eq!(store.plan(job.hash).await.expect("reads").as_deref(), Some(&*job.plan));
    }
}

/// A job whose steps are all skipped is over when it is created.
pub async fn a_job_can_end_at_its_creation(store: &dyn Store) {
    let never = StepShape { when: Some("false"), ..after(&[]) };
    let mut nothing = plan("nothing", &[never, after(&[0])]);
    nothing.timeout = Some(stroem_core::HumanDuration::from_secs(60));
    let job = create(store, 1, nothing).await;
    assert_eq!(whole(store, &job, &[]).await.job.status, JobStatus::Skipped);
    assert_eq!(claim_scripts(store, 1, 10, at(5)).await, []);
    assert_eq!(store.next_timer().await.expect("reads"), None, "its time-out went with it");
}

/// Nothing is invented for ids that nobody has.
pub async fn what_does_not_exist_is_none_or_typed(store: &dyn Store) {
    let shape = JobShape::new(1, chain(2));
    let id = job_id(1);
    assert_eq!(store.job(id).await.expect("reads"), None);
    assert_eq!(store.detail(id).await.expect("reads"), None);
    assert_eq!(store.step(id, 0).await.expect("reads"), None);
    assert_eq!(store.plan(shape.hash).await.expect("reads"), None);
    assert_eq!(store.sealed(id).await.expect("reads"), None);
    let missing = store.load(id, &Footprint::default()).await;
    assert!(matches!(missing, Err(StoreError::NoSuchJob)), "{missing:?}");
    let batch = Batch::new(shape.plan.clone(), vec![Event::CancelRequested], at(1));
    let missing = store.commit(id, batch).await;
    assert!(matches!(missing, Err(StoreError::NoSuchJob)), "{missing:?}");
    let job = create(store, 1, chain(2)).await;
    assert_eq!(store.step(job.id(), 2).await.expect("reads"), None, "a step that the plan does not have");
}

/// A footprint loads the asked-for rows and no others.
pub async fn a_footprint_loads_exactly_its_rows(store: &dyn Store) {
    let job = create(store, 1, fan(6)).await;
    let leases = claim_scripts(store, 1, 2, at(2)).await;
    commit(store, &job, vec![succeeded(leases[0], Some(json!("done")))], at(3)).await;
    let nothing = store.load(job.id(), &Footprint::default()).await.expect("loads");
    assert_eq!((nothing.steps.len(), nothing.results.len(), nothing.job_input), (0, 0, None));
    let some = Footprint { steps: [1, 4].into(), results: [0, 5].into(), open_steps: false, job_input: true };
    let some = store.load(job.id(), &some).await.expect("loads");
    assert_eq!(some.steps.keys().copied().collect::<Vec<_>>(), [1, 4]);
    assert_eq!(some.steps[&1].fence, Some(leases[1].fence));
    assert_eq!(some.results[&0].output, Some(json!("done")));
    assert_eq!((some.results[&5].status, &some.results[&5].output), (StepStatus::Ready, &None));
    assert_eq!(some.job_input, Some(Map::new()));
    let open = Footprint { open_steps: true, ..Footprint::default() };
    let open = store.load(job.id(), &open).await.expect("loads");
    assert_eq!(open.steps.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4, 5], "all that are not terminal");
}

/// Values of any size and with any character come back as they are.
pub async fn large_and_odd_values_come_back(store: &dyn Store) {
    let odd: Value = json!({
        "text": "zero \u{0}, quote ', emoji 🦀, line\nend",
        "numbers": [0, -1, i64::MAX, u64::MAX, 0.1, 1e300],
        "nested": { "null": null, "empty": {}, "": [] },
        "large": "x".repeat(2 << 20),
    });
    let mut shape = JobShape::new(1, chain(1));
    shape.input = [("odd".to_owned(), odd.clone())].into_iter().collect();
    shape.source = ("webhook", Some("it's 100 % \"fine\""));
    store.create(shape.new_job()).await.expect("creates");
    let leases = claim_scripts(store, 1, 1, at(2)).await;
    let committed = commit(store, &shape, vec![succeeded(leases[0], Some(odd.clone()))], at(3)).await;
    assert_eq!(committed.result.answers, [Ok(Applied::Changed)]);
    let detail = whole(store, &shape, &[1]).await;
    assert_eq!(detail.input, shape.input);
    assert_eq!(detail.steps[0].output.as_ref(), Some(&odd));
    assert_eq!(detail.job.source.source_id.as_deref(), shape.source.1);
}
