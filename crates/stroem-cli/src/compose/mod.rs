//! The composition root: the only place that puts a store, an application, a router, a worker and runners together.

pub(crate) mod config;
mod docker;
mod embedded;
pub(crate) mod files;
mod kubernetes;
pub(crate) mod logging;
pub(crate) mod process;

pub(crate) use docker::docker_runner;
pub(crate) use embedded::{Embedded, EmbeddedOptions, WORKSPACE, runners};
pub(crate) use kubernetes::kubernetes_runner;
