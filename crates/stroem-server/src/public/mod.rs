//! The public API, one file per resource.

pub(crate) mod healthz;
pub(crate) mod history;
pub(crate) mod jobs;
pub(crate) mod log_tools;
pub(crate) mod logs;
mod made;
pub(crate) mod metrics;
mod reading;
pub(crate) mod stats;
pub(crate) mod tasks;
pub(crate) mod workers;
pub(crate) mod workspaces;

pub(crate) use made::{Made, made};
pub(crate) use reading::{Params, job_id, read_body};
