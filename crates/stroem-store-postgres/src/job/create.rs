//! Writes a new job with its plan.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError},
};

use stroem_engine::{JobRow, Progress};
use stroem_store::{Committed, NewJob};
use stroem_workflow::Plan;

use super::write;
use crate::{
    codec::{job_status, job_stop, json, micros, plain, shown, uuid},
    connection::{Request, values},
    failure::{Failure, Outcome},
    store::Inner,
    writer::Transaction,
};

/// Writes a new job in one go: two round trips, and one before them when its queues are new.
pub(super) async fn create(inner: &Arc<Inner>, new: NewJob) -> Outcome<Committed> {
    let NewJob { mut batch, job: id, input, plan_json, plan_hash } = new;
    if let Progress::Load(_) = batch.advance() {
        return Err(Failure::internal("a new job needs nothing to be loaded"));
    }
    let plan = Arc::clone(batch.plan());
    let result = batch.finish();
    let changes = &result.changes;
    let job = changes.job.as_ref().filter(|job| job.id == id && job.plan == plan_hash);
    let job = job.ok_or_else(|| Failure::internal("a new job comes with its row"))?;
    store_queue_keys(inner, &plan).await?;
    let hash = plan_hash.as_bytes().to_vec();
    let stored = Request::new("SELECT 1::bigint FROM plan WHERE hash = $1", values![hash.clone()]);
    let (transaction, answers) = Transaction::begin(inner, vec![stored]).await?;
    let mut requests = Vec::new();
    if answers[0].is_empty() {
        // Somebody else may store it at this moment: waits for them.
        requests.push(Request::new(
            "INSERT INTO plan (hash, json) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING",
            values![hash, plan_json.to_string()],
        ));
    }
    requests.push(insert_job(job));
    requests.push(Request::new(
        "INSERT INTO job_input (job, input) VALUES ($1, $2)",
        values![uuid(id.as_bytes()), json(&input)?],
    ));
    requests.push(write::steps(write::INSERT_STEPS, id, &changes.steps.values())?);
    write::data(id, changes, &mut requests)?;
    write::queue(id, changes, &mut requests);
    write::timers(job, changes, &mut requests);
    transaction.commit(requests).await?;
    inner.hints.committed(&result.effects);
    Ok(Committed { result, rows_read: 0 })
}

/// Stores the keys of all queues that steps of the plan may stand in, so that no commit has to. They stay for ever, so
/// those that this store has seen are not asked for again.
async fn store_queue_keys(inner: &Arc<Inner>, plan: &Plan) -> Outcome<()> {
    let mut all: BTreeSet<String> = plan.steps.iter().map(|step| step.required_tags.queue_key()).collect();
    {
        let mut known = inner.queue_keys.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|key| known.get(key).is_none());
    }
    if all.is_empty() {
        return Ok(());
    }
    let keys: Vec<String> = all.into_iter().collect();
    let insert = "INSERT INTO queue_key (tags) SELECT n.tags FROM unnest($1::text[]) AS n(tags) \
                  WHERE NOT EXISTS (SELECT 1 FROM queue_key k WHERE k.tags = n.tags) ORDER BY n.tags \
                  ON CONFLICT (tags) DO NOTHING";
    inner.pool.fly(&[Request::new(insert, values![keys.clone()])]).await?;
    let mut known = inner.queue_keys.lock().unwrap_or_else(PoisonError::into_inner);
    for key in keys {
        known.put(key, ());
    }
    Ok(())
}

fn insert_job(job: &JobRow) -> Request<'static> {
    Request::new(
        "INSERT INTO job (id, workspace, task, revision, plan, source_type, source_id, status, shown, version, \
         priority, open_steps, failed_steps, skipped_steps, stop, stop_requested_at, created_at, started_at, \
         completed_at, error) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
        values![
            uuid(job.id.as_bytes()),
            job.workspace.as_str().to_owned(),
            job.task.as_str().to_owned(),
            job.revision.as_str().to_owned(),
            job.plan.as_bytes().to_vec(),
            plain(&job.source.source_type).into_owned(),
            job.source.source_id.as_deref().map(|text| plain(text).into_owned()),
            job_status(job.status),
            job_status(shown(job)),
            job.version,
            i64::from(job.priority),
            i64::from(job.open_steps),
            i64::from(job.failed_steps),
            i64::from(job.skipped_steps),
            job.stop.map(job_stop),
            micros(job.stop_requested_at),
            job.created_at.as_micros(),
            micros(job.started_at),
            micros(job.completed_at),
            job.error.as_deref().map(|text| plain(text).into_owned()),
        ],
    )
}
