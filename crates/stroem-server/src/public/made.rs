//! The answer of a request that made a job, which its line of audit names, too.

use axum::{Extension, Json};
use stroem_api::public::ExecuteResponse;
use stroem_core::JobId;

use crate::auth::Subject;

pub(crate) type Made = (Extension<Subject>, Json<ExecuteResponse>);

pub(crate) fn made(job_id: JobId) -> Made {
    (Extension(Subject(format!("job {job_id}"))), Json(ExecuteResponse { job_id }))
}
