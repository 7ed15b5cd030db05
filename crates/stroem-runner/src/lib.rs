//! The runner port: how one attempt of a step is prepared, started, followed, stopped and cleaned up.
//!
//! [`Runner`] is the written contract. A runner knows how to run one attempt on one kind of platform (processes,
//! containers, pods); it does not know servers, framing, masking, retries or time-outs: the worker owns those and tells
//! a runner only when to stop and why.
//!
//! The feature `conformance` brings the suite that every runner passes; [`FakeRunner`] is the double for tests of what
//! stands above the port.

#[cfg(feature = "conformance")]
pub mod conformance;
mod event;
mod fake;
mod packages;
mod request;
mod runner;
pub mod toolchain;
mod within;
pub mod words;

pub use event::{EventSender, OutputStream, RunnerEvent, StopReason, StopReceiver};
pub use fake::{FakeRunner, FakeScript};
pub use packages::{Packages, WithPackages, compiled};
pub use request::{ATTEMPT_VARIABLE, Download, RunRequest, StepIdentity, marker_prefix};
pub use runner::{Runner, Unavailable};
pub use within::Within;
