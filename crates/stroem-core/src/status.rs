//! The states of steps and jobs. The spelling is part of the API.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A text that names no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a status")]
pub struct UnknownStatus(pub String);

macro_rules! status {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// All states, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The spelling in API, store and logs.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownStatus;

            fn from_str(text: &str) -> Result<Self, UnknownStatus> {
                Self::ALL.iter().copied().find(|s| s.as_str() == text).ok_or_else(|| UnknownStatus(text.to_owned()))
            }
        }
    };
}

status!(
    /// The state of a step.
    StepStatus {
        /// Waits for its dependencies.
        Pending = "pending",
        /// May be claimed by a worker that has its tags.
        Ready = "ready",
        /// A worker holds its lease.
        Running = "running",
        /// Ended well.
        Completed = "completed",
        /// Ended badly; the outcome says why.
        Failed = "failed",
        /// Not run: its `when` was false, or its dependencies did not allow it.
        Skipped = "skipped",
        /// Ended by a cancellation.
        Cancelled = "cancelled",
        /// Waits for a person.
        Suspended = "suspended",
    }
);

impl StepStatus {
    /// Whether the step will not change any more.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Skipped | Self::Cancelled => true,
            Self::Pending | Self::Ready | Self::Running | Self::Suspended => false,
        }
    }
}

status!(
    /// The state of a job.
    JobStatus {
        /// Created; no step has been claimed yet.
        Pending = "pending",
        /// At least one step has been claimed.
        Running = "running",
        /// Every step ended and none failed in a way that matters.
        Completed = "completed",
        /// A step failed, or the job's time ran out.
        Failed = "failed",
        /// Cancelled before it ended.
        Cancelled = "cancelled",
        /// Every step was skipped.
        Skipped = "skipped",
    }
);

impl JobStatus {
    /// Whether the job will not change any more.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Cancelled | Self::Skipped => true,
            Self::Pending | Self::Running => false,
        }
    }
}
