//! Leases whose attempts outlive their worker: where they run, who may take them over. The taking over itself is a
//! function in the database, see `sql/main-0002.sql`.

use std::sync::Arc;

use stroem_core::{LeaseKey, Mark, Runtime, Timestamp, WorkerId};
use stroem_store::{AdoptRequest, Claim, LeaseRow, StoreError};

use crate::{
    PostgresStore,
    codec::{Columns, json_if_any, plain, uuid},
    connection::{Request, values},
    dispatch::{read_claims, read_lease},
    failure::Outcome,
    store::Inner,
    writer::{self, Ended},
};

impl PostgresStore {
    pub(crate) async fn note_runtime(&self, lease: LeaseKey, runtime: Runtime) -> Result<bool, StoreError> {
        let mark = json_if_any(runtime.mark.as_ref())?;
        let sql = "UPDATE lease SET scope = $4, handle = $5, mark_json = $6 WHERE fence = $1 AND job = $2 AND step = $3 \
                   RETURNING 1::bigint";
        let values = move || {
            values![
                lease.fence.0,
                uuid(lease.attempt.job.as_bytes()),
                i64::from(lease.attempt.step),
                plain(&runtime.scope).into_owned(),
                plain(&runtime.handle).into_owned(),
                mark.clone()
            ]
        };
        Ok(self.change(sql, values).await? > 0)
    }

    pub(crate) async fn put_on_offer(
        &self,
        leases: Vec<LeaseKey>,
        now: Timestamp,
    ) -> Result<Vec<LeaseKey>, StoreError> {
        if leases.is_empty() {
            return Ok(Vec::new());
        }
        // In one order for all who do so, so that no two wait for each other.
        let sql = "UPDATE lease l SET offered_at = coalesce(l.offered_at, $2) FROM ( \
                   SELECT fence FROM lease WHERE fence = ANY ($1::bigint[]) AND scope IS NOT NULL \
                   ORDER BY fence FOR UPDATE) AS n WHERE l.fence = n.fence";
        let fences: Vec<i64> = leases.iter().map(|lease| lease.fence.0).collect();
        self.change(sql, move || values![fences.clone(), now.as_micros()]).await?;
        let offered = self.read_offers().await?;
        let is_offered = |lease: &LeaseKey| offered.iter().any(|row| row.lease == *lease);
        Ok(leases.into_iter().filter(is_offered).collect())
    }

    pub(crate) async fn take_from_offer(
        &self,
        worker: WorkerId,
        leases: Vec<LeaseKey>,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE lease l SET offered_at = NULL FROM ( \
                   SELECT fence FROM lease WHERE fence = ANY ($1::bigint[]) AND worker = $2 \
                   ORDER BY fence FOR UPDATE) AS n WHERE l.fence = n.fence";
        let fences: Vec<i64> = leases.iter().map(|lease| lease.fence.0).collect();
        self.change(sql, move || values![fences.clone(), uuid(worker.as_bytes())]).await?;
        Ok(())
    }

    pub(crate) async fn read_offers(&self) -> Result<Vec<LeaseRow>, StoreError> {
        let question = "SELECT worker, job, step, attempt, fence, claimed_at, kill, scope, handle, mark_json, offered_at \
                        FROM lease WHERE offered_at IS NOT NULL ORDER BY offered_at, fence";
        self.inner
            .read(question, values![], |columns| {
                let worker = columns.worker()?;
                read(columns, worker)
            })
            .await
    }
}

/// `job, step, attempt, fence, claimed_at, kill, scope, handle, mark_json, offered_at`
pub(crate) fn read(columns: &mut Columns<'_>, worker: WorkerId) -> Outcome<LeaseRow> {
    let lease = read_lease(columns)?;
    let (claimed_at, kill) = (columns.time()?, columns.json_if_any()?);
    let place: (Option<String>, Option<String>) = (columns.value()?, columns.value()?);
    let runtime = match place {
        (Some(scope), Some(handle)) => Some(Runtime { scope, handle, mark: columns.json_if_any()? }),
        _ => {
            columns.json_if_any::<Mark>()?;
            None
        }
    };
    Ok(LeaseRow { lease, worker, claimed_at, kill, runtime, offered_at: columns.time_if_any()? })
}

/// One round trip; without a lease that is on offer nothing is written.
pub(crate) async fn adopt(inner: &Arc<Inner>, request: &AdoptRequest) -> Outcome<Vec<Claim>> {
    if request.leases.is_empty() {
        return Ok(Vec::new());
    }
    let fences: Vec<i64> = request.leases.iter().map(|lease| lease.fence.0).collect();
    let statement = |slot, mark| {
        Request::new(
            "SELECT job, step, attempt, fence, version FROM adopt($1, $2, $3, $4, $5)",
            values![uuid(request.worker.as_bytes()), fences.clone(), request.now.as_micros(), slot, mark],
        )
    };
    let ended: Ended = writer::at_once(inner, statement).await?;
    read_claims(inner, request.worker, ended).await
}
