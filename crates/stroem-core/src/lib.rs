//! The vocabulary of Strøm: ids, names, times, sizes, limits, statuses and outcomes.
//!
//! Pure data. Nothing here reads a clock, draws a random number, touches a file or a socket; times and ids
//! arrive as values. Every other crate depends on this one and on nothing lower.

mod container;
mod duration;
mod id;
pub mod limits;
mod name;
mod outcome;
mod quantity;
mod revision;
mod runtime;
mod secret;
mod spec;
mod status;
mod tag;
mod timestamp;

pub use container::{CAPABILITIES, Container, Mount, MountError, PullPolicy};
pub use duration::{DurationError, HumanDuration};
pub use id::{AttemptKey, AttemptNumber, Fence, IdError, InstanceId, JobId, LeaseKey, WorkerId};
pub use name::{ActionName, NameError, StepName, TaskName, WorkerName, WorkspaceName, template_name};
pub use outcome::{Cause, Exit, Outcome, StartPhase};
pub use quantity::{ByteSize, CpuQuantity, QuantityError};
pub use revision::{Revision, RevisionError};
pub use runtime::{Mark, Runtime};
pub use secret::Secret;
pub use spec::{ImageSpec, Language, Resources, RunnerKind, ScriptBody, ScriptSpec, StepRun, StepSpec};
pub use status::{JobStatus, StepStatus, UnknownStatus};
pub use tag::{Tag, TagError, TagSet};
pub use timestamp::Timestamp;
