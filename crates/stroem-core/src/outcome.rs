//! What really happened to an attempt. One closed enum; nobody decides from an error's text.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ByteSize, HumanDuration};

/// How a process ended when it did not end well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// The exit code, 1 to 255.
    ExitCode(i32),
    /// The number of the signal that ended it.
    Signal(i32),
}

/// Whether the user's command had begun when the attempt was lost. Only what had not begun may run again by
/// itself after an eviction or the loss of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartPhase {
    /// The user's command had not begun.
    NotStarted,
    /// The user's command had begun, or nobody can tell.
    Started,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum Outcome {
    /// The command ended with code 0 and its output was taken.
    Succeeded,
    /// The command ended with another code or by a signal that nobody here sent.
    Failed {
        /// Code or signal.
        #[serde(flatten)]
        exit: Exit,
    },
    /// The step's or the job's time ran out and the command was stopped.
    TimedOut {
        /// The time it had, in milliseconds.
        limit: HumanDuration,
    },
    /// Stopped because the job was cancelled.
    Cancelled,
    /// Killed because it needed more memory than it may have.
    OutOfMemory {
        /// The limit, where there was one.
        limit: Option<ByteSize>,
        /// The most that was measured, where the platform reports it.
        peak: Option<ByteSize>,
    },
    /// The image could not be pulled.
    ImagePull {
        /// The engine's own words.
        message: String,
    },
    /// No node took the pod inside the budget.
    Unschedulable {
        /// The scheduler's own words.
        message: String,
    },
    /// The platform took the pod away.
    Evicted {
        /// Whether the command had begun.
        phase: StartPhase,
        /// The platform's own words.
        message: String,
    },
    /// The node under the pod went away.
    NodeLost {
        /// Whether the command had begun.
        phase: StartPhase,
        /// The platform's own words.
        message: String,
    },
    /// The worker that held the lease went away.
    WorkerLost,
    /// No active worker had the required tags for the configured time.
    NoMatchingWorker,
    /// A template, condition or input of the step could not be rendered or is not valid.
    InvalidInput {
        /// What is wrong with it.
        message: String,
    },
    /// The step's output is larger than the limit.
    OutputTooLarge {
        /// The limit.
        limit: ByteSize,
    },
    /// The worker had no room on its disk.
    DiskFull {
        /// What could not be written.
        message: String,
    },
    /// The runner could not do its work, through no fault of the step.
    RunnerError {
        /// What went wrong.
        message: String,
    },
}

/// The name of an outcome without its evidence, as `retry.on`, metrics and filters use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the Outcome of the same name")]
pub enum Cause {
    Succeeded,
    Failed,
    TimedOut,
    Cancelled,
    OutOfMemory,
    ImagePull,
    Unschedulable,
    Evicted,
    NodeLost,
    WorkerLost,
    NoMatchingWorker,
    InvalidInput,
    OutputTooLarge,
    DiskFull,
    RunnerError,
}

impl Cause {
    /// All causes.
    pub const ALL: &'static [Self] = &[
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
        Self::OutOfMemory,
        Self::ImagePull,
        Self::Unschedulable,
        Self::Evicted,
        Self::NodeLost,
        Self::WorkerLost,
        Self::NoMatchingWorker,
        Self::InvalidInput,
        Self::OutputTooLarge,
        Self::DiskFull,
        Self::RunnerError,
    ];

    /// The spelling in API, store and YAML.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::OutOfMemory => "out_of_memory",
            Self::ImagePull => "image_pull",
            Self::Unschedulable => "unschedulable",
            Self::Evicted => "evicted",
            Self::NodeLost => "node_lost",
            Self::WorkerLost => "worker_lost",
            Self::NoMatchingWorker => "no_matching_worker",
            Self::InvalidInput => "invalid_input",
            Self::OutputTooLarge => "output_too_large",
            Self::DiskFull => "disk_full",
            Self::RunnerError => "runner_error",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Outcome {
    /// The cause without its evidence.
    pub const fn cause(&self) -> Cause {
        match self {
            Self::Succeeded => Cause::Succeeded,
            Self::Failed { .. } => Cause::Failed,
            Self::TimedOut { .. } => Cause::TimedOut,
            Self::Cancelled => Cause::Cancelled,
            Self::OutOfMemory { .. } => Cause::OutOfMemory,
            Self::ImagePull { .. } => Cause::ImagePull,
            Self::Unschedulable { .. } => Cause::Unschedulable,
            Self::Evicted { .. } => Cause::Evicted,
            Self::NodeLost { .. } => Cause::NodeLost,
            Self::WorkerLost => Cause::WorkerLost,
            Self::NoMatchingWorker => Cause::NoMatchingWorker,
            Self::InvalidInput { .. } => Cause::InvalidInput,
            Self::OutputTooLarge { .. } => Cause::OutputTooLarge,
            Self::DiskFull { .. } => Cause::DiskFull,
            Self::RunnerError { .. } => Cause::RunnerError,
        }
    }

    /// Whether the platform, not the step, is to blame, so that the attempt is queued again by itself (at most
    /// [`crate::limits::INFRASTRUCTURE_REQUEUES`] times).
    pub const fn is_requeued(&self) -> bool {
        match self {
            Self::WorkerLost | Self::DiskFull { .. } | Self::RunnerError { .. } => true,
            Self::Evicted { phase, .. } | Self::NodeLost { phase, .. } => {
                matches!(phase, StartPhase::NotStarted)
            }
            Self::Succeeded
            | Self::Failed { .. }
            | Self::TimedOut { .. }
            | Self::Cancelled
            | Self::OutOfMemory { .. }
            | Self::ImagePull { .. }
            | Self::Unschedulable { .. }
            | Self::NoMatchingWorker
            | Self::InvalidInput { .. }
            | Self::OutputTooLarge { .. } => false,
        }
    }
}

/// The sentence that API and UI show as `error_message`; for a success it is empty.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded => Ok(()),
            Self::Failed { exit: Exit::ExitCode(code) } => write!(f, "exited with code {code}"),
            Self::Failed { exit: Exit::Signal(signal) } => write!(f, "ended by signal {signal}"),
            Self::TimedOut { limit } => write!(f, "timed out after {limit}"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::OutOfMemory { limit, peak } => {
                f.write_str("out of memory")?;
                if let Some(limit) = limit {
                    write!(f, ": the limit is {limit}")?;
                }
                if let Some(peak) = peak {
                    write!(f, ", the peak was {peak}")?;
                }
                Ok(())
            }
            Self::ImagePull { message } => write!(f, "image pull failed: {message}"),
            Self::Unschedulable { message } => write!(f, "the pod could not be scheduled: {message}"),
            Self::Evicted { message, .. } => write!(f, "evicted: {message}"),
            Self::NodeLost { message, .. } => write!(f, "the node was lost: {message}"),
            Self::WorkerLost => f.write_str("the worker was lost"),
            Self::NoMatchingWorker => f.write_str("No active worker with required tags to run this step"),
            Self::InvalidInput { message } => f.write_str(message),
            Self::OutputTooLarge { limit } => write!(f, "the output is larger than {limit}"),
            Self::DiskFull { message } => write!(f, "the worker's disk is full: {message}"),
            Self::RunnerError { message } => write!(f, "runner error: {message}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_form_is_flat_and_stable() {
        for (outcome, json) in [
            (Outcome::Succeeded, r#"{"cause":"succeeded"}"#),
            (Outcome::Failed { exit: Exit::ExitCode(3) }, r#"{"cause":"failed","exit_code":3}"#),
            (Outcome::Failed { exit: Exit::Signal(9) }, r#"{"cause":"failed","signal":9}"#),
            (
                Outcome::OutOfMemory { limit: Some(ByteSize::from_mib(64)), peak: None },
                r#"{"cause":"out_of_memory","limit":67108864,"peak":null}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&outcome).expect("json"), json);
            assert_eq!(serde_json::from_str::<Outcome>(json).expect("parses"), outcome);
        }
    }

    #[test]
    fn the_seed_page_text_is_exact() {
        assert_eq!(
            Outcome::NoMatchingWorker.to_string(),
            "No active worker with required tags to run this step"
        );
    }
}
