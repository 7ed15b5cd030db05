//! The runner port: how one attempt of a step is prepared, started, followed, stopped and cleaned up.
//!
//! The contract, for every implementation of [`Runner`]:
//! - **prepare -> start -> stream -> wait -> stop(grace) -> cleanup.** [`Runner::run`] is one pass through it. It never
//!   panics, answers with what really happened, and has cleaned up when it answers.
//! - **Output** goes to the bounded [`EventSender`] as raw bytes with back-pressure; a runner keeps nothing beyond what
//!   it is just reading. Framing, masking and limits are the worker's.
//! - **Stop** ([`StopReceiver`]) may come at any point, also before the start. The whole tree of processes gets TERM,
//!   after the grace KILL; nothing of it is left one second later. The outcome is that of the reason.
//! - **After the main process ended** its pipes get [`stroem_core::limits::DRAIN`]; what still holds them, and what else
//!   is left of the tree, is killed and named in a [`RunnerEvent::Note`].
//! - **The time-out** is the worker's: it counts from [`RunnerEvent::Started`] and stops with [`StopReason::TimedOut`].
//! - **A crash** of the worker at any point leaves nothing that [`Runner::cleanup`] of the next worker cannot remove;
//!   cleanup is idempotent.
//! - **Concurrency**: any number of attempts run at once on one runner; cleanup of one does not disturb another.

mod event;
mod request;
mod runner;

pub use event::{EventSender, OutputStream, RunnerEvent, StopReason, StopReceiver};
pub use request::{RunRequest, StepIdentity};
pub use runner::{Runner, Unavailable};
