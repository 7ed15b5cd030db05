//! How the program ends: one closed set of exit codes, shown in the help and in the reference.

use std::{fmt::Write as _, process::ExitCode};

use stroem_core::JobStatus;

/// An exit code and what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked for is done.
    Done,
    /// The job failed, or files have errors.
    Failed,
    /// The command line, the input or a file it names is not right.
    Usage,
    /// The job was cancelled.
    Cancelled,
    /// The server cannot be reached.
    Unreachable,
    /// The server refused.
    Refused,
    /// This machine does not allow it.
    Environment,
    /// A bug.
    Internal,
}

impl Exit {
    /// All of them, in the order of their codes.
    pub const ALL: &'static [Self] = &[
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::Cancelled,
        Self::Unreachable,
        Self::Refused,
        Self::Environment,
        Self::Internal,
    ];

    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Cancelled => 3,
            Self::Unreachable => 4,
            Self::Refused => 5,
            Self::Environment => 6,
            Self::Internal => 70,
        }
    }

    /// What it means, in a few words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done; a job that was waited for completed or was skipped",
            Self::Failed => "the job failed, or workflow files have errors",
            Self::Usage => "wrong arguments, or an input or folder that cannot be read",
            Self::Cancelled => "the job was cancelled",
            Self::Unreachable => "the server cannot be reached",
            Self::Refused => "the server refused: not found, invalid input, conflict, not allowed",
            Self::Environment => "this machine does not allow it: port taken, disk full, data in use",
            Self::Internal => "a bug in Strøm",
        }
    }

    /// How a command that waited for a job ends.
    pub const fn of_job(status: JobStatus) -> Self {
        match status {
            JobStatus::Completed | JobStatus::Skipped | JobStatus::Pending | JobStatus::Running => Self::Done,
            JobStatus::Failed => Self::Failed,
            JobStatus::Cancelled => Self::Cancelled,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The table of codes for the end of the help.
pub(crate) fn help() -> String {
    let mut text = String::from("Exit codes:\n");
    for exit in Exit::ALL {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {:>2}  {}", exit.code(), exit.meaning());
    }
    text.truncate(text.trim_end().len());
    text
}
