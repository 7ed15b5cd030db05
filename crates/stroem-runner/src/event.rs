//! What a runner tells while a step runs, and how it is told to stop.

use bytes::Bytes;
use stroem_core::{ByteSize, HumanDuration, Outcome, Runtime};
use tokio::sync::{mpsc, watch};

/// Which pipe bytes came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutputStream {
    /// Standard output; runners that cannot tell the two apart use this one.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Something that happened while a step runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunnerEvent {
    /// Everything is in place; the command is started next.
    Prepared,
    /// Where the attempt runs from now on, even if this process ends. Sent before the command begins.
    Placed(Runtime),
    /// The command runs: its time counts from here.
    Started {
        /// Its process, where there is one on this host.
        pid: Option<u32>,
    },
    /// Bytes of its output, in order for each stream, at most 64 KiB at a time.
    Output {
        /// The stream.
        stream: OutputStream,
        /// The bytes, cut anywhere.
        bytes: Bytes,
    },
    /// Between two lines of standard output, with none of standard error begun: here [`crate::Runner::adopt`] can begin
    /// again. For platforms that do not keep all of an output.
    Mark(String),
    /// A sentence for the step's log.
    Note(String),
    /// What the attempt used, once after the command ended, where the platform measures it.
    Usage {
        /// The most memory that it held at a time.
        peak_memory: Option<ByteSize>,
    },
}

/// Takes events, with back-pressure. When nobody listens any more a runner discards events and goes on.
pub type EventSender = mpsc::Sender<RunnerEvent>;

/// Why an attempt is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The job was cancelled.
    Cancelled,
    /// Its time ran out.
    TimedOut {
        /// The time it had.
        limit: HumanDuration,
    },
    /// The server gave the step to somebody else, or ended it.
    LeaseLost,
    /// The worker ends and cannot wait any longer.
    Drain,
    /// Somebody else follows it from now on: see [`crate::Runner::adopt`]. Only for attempts that are placed.
    LetGo,
}

impl StopReason {
    /// The outcome of an attempt that was stopped for this reason.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Cancelled => Outcome::Cancelled,
            Self::TimedOut { limit } => Outcome::TimedOut { limit },
            Self::LeaseLost | Self::Drain | Self::LetGo => Outcome::WorkerLost,
        }
    }
}

/// Holds the reason once there is one. The first one counts; a sender that is gone without one never stops anything.
pub type StopReceiver = watch::Receiver<Option<StopReason>>;
