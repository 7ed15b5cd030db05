//! The application on the real embedded store, with the test as the worker: what the protocol promises.

mod adoption;
mod downloads;
mod fixture;
mod logs;
mod metrics;
mod pages;
mod protocol;
mod routing;
mod tarballs;
