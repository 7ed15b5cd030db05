//! The composition root: the only place that puts a store, an application, a router, a worker and runners together.

pub(crate) mod config;
pub(crate) mod copy;
mod embedded;
pub(crate) mod files;
pub(crate) mod logging;
pub(crate) mod process;

pub(crate) use embedded::{Embedded, EmbeddedOptions, WORKSPACE, runners};
