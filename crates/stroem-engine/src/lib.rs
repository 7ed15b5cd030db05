//! The job state machine: `step(plan, rows, event, now)` gives changes and effects, or says why the event is illegal.
//!
//! Pure. It must not know how rows are stored, who sends events, or what time it is: those arrive as values. Whoever
//! does IO (the server, the local run, the simulator) drives the same [`Batch`]. What an event may read is named by its
//! [`Footprint`], so the cost of an event follows what it changes and never the size of the job.

mod batch;
mod changes;
mod event;
mod footprint;
pub mod invariants;
mod rows;
mod transition;

pub use batch::{Batch, BatchResult, Progress};
pub use changes::{AttemptChange, Changes, Effect, LeaseKill, StopReason, TimerKey, TimerKind, TimerRow};
pub use event::{Applied, Event, IllegalEvent};
pub use footprint::{Footprint, footprint};
pub use rows::{JobRow, JobStop, Loaded, QueueRow, Source, StepRow};
pub use transition::{Transition, create, step};
