//! What a runner tells while a step runs, and how it is told to stop.

use bytes::Bytes;
use stroem_core::{ByteSize, HumanDuration};
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
    /// The command runs: its time counts from here.
    Started {
        /// Its process, where there is one on this host.
        pid: Option<u32>,
    },
    /// Bytes of its output, in order for each stream.
    Output {
        /// The stream.
        stream: OutputStream,
        /// The bytes, cut anywhere.
        bytes: Bytes,
    },
    /// A sentence for the step's log.
    Note(String),
    /// The most memory that was measured.
    Usage {
        /// Its peak.
        peak_memory: Option<ByteSize>,
    },
}

/// Takes events, with back-pressure.
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
}

/// Holds the reason once there is one.
pub type StopReceiver = watch::Receiver<Option<StopReason>>;
