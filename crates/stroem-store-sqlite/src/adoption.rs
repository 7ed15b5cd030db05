//! Leases whose attempts outlive their worker: where they run, who may take them over, and the taking over itself.

use rusqlite::{Connection, OptionalExtension as _};
use stroem_core::{AttemptKey, Fence, LeaseKey, Mark, Runtime, Timestamp, WorkerId};
use stroem_store::{AdoptRequest, Claim, LeaseRow};

use crate::{
    codec::{Columns, json_if_any},
    dispatch::take_fences,
    failure::{Failure, Outcome},
};

pub(crate) fn set_runtime(connection: &Connection, lease: LeaseKey, runtime: &Runtime) -> Outcome<bool> {
    let changed = connection
        .prepare_cached(
            "UPDATE lease SET scope = ?4, handle = ?5, mark_json = ?6 WHERE fence = ?1 AND job = ?2 AND step = ?3",
        )?
        .execute((
            lease.fence.0,
            lease.attempt.job.as_bytes(),
            lease.attempt.step,
            &runtime.scope,
            &runtime.handle,
            json_if_any(runtime.mark.as_ref())?,
        ))?;
    Ok(changed > 0)
}

pub(crate) fn offer(connection: &Connection, leases: &[LeaseKey], now: Timestamp) -> Outcome<Vec<LeaseKey>> {
    let mut offered = Vec::new();
    for lease in leases {
        let changed = connection
            .prepare_cached(
                "UPDATE lease SET offered_at = coalesce(offered_at, ?4) \
                 WHERE fence = ?1 AND job = ?2 AND step = ?3 AND scope IS NOT NULL",
            )?
            .execute((lease.fence.0, lease.attempt.job.as_bytes(), lease.attempt.step, now.as_micros()))?;
        if changed > 0 {
            offered.push(*lease);
        }
    }
    Ok(offered)
}

pub(crate) fn keep(connection: &Connection, worker: WorkerId, leases: &[LeaseKey]) -> Outcome<()> {
    for lease in leases {
        connection
            .prepare_cached("UPDATE lease SET offered_at = NULL WHERE fence = ?1 AND worker = ?2")?
            .execute((lease.fence.0, worker.as_bytes()))?;
    }
    Ok(())
}

pub(crate) fn offers(connection: &Connection) -> Outcome<Vec<LeaseRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT worker, job, step, attempt, fence, claimed_at, kill, scope, handle, mark_json, offered_at FROM lease \
         WHERE offered_at IS NOT NULL ORDER BY offered_at, fence",
    )?;
    let mut rows = statement.query([])?;
    let mut leases = Vec::new();
    while let Some(row) = rows.next()? {
        let mut columns = Columns::of(row);
        let worker = columns.worker()?;
        leases.push(read(&mut columns, worker)?);
    }
    Ok(leases)
}

/// `job, step, attempt, fence, claimed_at, kill, scope, handle, mark_json, offered_at`
pub(crate) fn read(columns: &mut Columns<'_, '_>, worker: WorkerId) -> Outcome<LeaseRow> {
    let attempt = AttemptKey { job: columns.job()?, step: columns.value()?, attempt: columns.attempt()? };
    let lease = LeaseKey { attempt, fence: Fence(columns.value()?) };
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

pub(crate) fn adopt(connection: &Connection, request: &AdoptRequest) -> Outcome<Vec<Claim>> {
    let mut claims = Vec::new();
    for lease in &request.leases {
        let on_offer = connection
            .prepare_cached(
                "SELECT 1 FROM lease WHERE fence = ?1 AND job = ?2 AND step = ?3 AND offered_at IS NOT NULL",
            )?
            .exists((lease.fence.0, lease.attempt.job.as_bytes(), lease.attempt.step))?;
        if on_offer {
            let fence = Fence(take_fences(connection, 1)? + 1);
            claims.push(move_lease(connection, *lease, request, fence)?);
        }
    }
    Ok(claims)
}

fn move_lease(
    connection: &Connection,
    old: LeaseKey,
    request: &AdoptRequest,
    fence: Fence,
) -> Outcome<Claim> {
    let AttemptKey { job, step, attempt } = old.attempt;
    let (job_bytes, worker) = (job.as_bytes(), request.worker.as_bytes());
    connection
        .prepare_cached(
            "UPDATE lease SET fence = ?2, worker = ?3, claimed_at = ?4, offered_at = NULL WHERE fence = ?1",
        )?
        .execute((old.fence.0, fence.0, worker, request.now.as_micros()))?;
    connection
        .prepare_cached("UPDATE step SET fence = ?3, worker = ?4 WHERE job = ?1 AND step = ?2")?
        .execute((job_bytes, step, fence.0, worker))?;
    connection
        .prepare_cached(
            "UPDATE attempt SET fence = ?4, worker = ?5 WHERE job = ?1 AND step = ?2 AND attempt = ?3",
        )?
        .execute((job_bytes, step, attempt.0, fence.0, worker))?;
    connection
        .prepare_cached(
            "UPDATE timer SET fence = ?5 WHERE job = ?1 AND step = ?2 AND attempt = ?3 AND fence = ?4",
        )?
        .execute((job_bytes, step, attempt.0, old.fence.0, fence.0))?;
    let version = connection
        .prepare_cached("UPDATE job SET version = version + 1 WHERE id = ?1 RETURNING version")?
        .query_row([job_bytes], |row| row.get(0))
        .optional()?;
    let job_version = version.ok_or_else(|| Failure::corrupt(format!("job {job} has leases and no row")))?;
    Ok(Claim { lease: LeaseKey { attempt: old.attempt, fence }, job_version })
}
