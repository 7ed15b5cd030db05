//! Why a command did not do what it was asked: each with its exit code and, where there is one, the remedy.

use std::{io, path::Path};

use serde_json::{Value, json};
use stroem_api::{ApiError, ErrorDetail};

use crate::exit::Exit;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line, or something it names, is not right.
    #[error("{message}")]
    Usage {
        /// What is wrong and what to write instead.
        message: String,
    },
    /// The server could not be reached, refused, or answered nonsense.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// This machine does not allow it.
    #[error("{message}")]
    Environment {
        /// What was tried and what happened.
        message: String,
    },
    /// The reader of the output is gone.
    #[error("the output cannot be written: {0}")]
    Output(#[source] io::Error),
    /// A bug.
    #[error("{message}")]
    Internal {
        /// What is impossible.
        message: String,
    },
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into() }
    }

    pub(crate) fn environment(message: impl Into<String>) -> Self {
        Self::Environment { message: message.into() }
    }

    /// A file or folder that the user named and that cannot be read.
    pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Self {
        Self::usage(format!("cannot read {}: {error}", path.display()))
    }

    /// How the program ends.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage { .. } => Exit::Usage,
            Self::Api(ApiError::Transport(_)) => Exit::Unreachable,
            Self::Api(ApiError::Refused { status, .. }) if *status < 500 => Exit::Refused,
            Self::Api(ApiError::Refused { .. } | ApiError::Unreadable { .. }) | Self::Internal { .. } => {
                Exit::Internal
            }
            Self::Environment { .. } | Self::Output(_) => Exit::Environment,
        }
    }

    /// A stable code, the server's own where it refused.
    fn code(&self) -> &str {
        match self {
            Self::Usage { .. } => "usage",
            Self::Api(ApiError::Refused { body, .. }) => &body.code,
            Self::Api(ApiError::Transport(_)) => "unreachable",
            Self::Api(ApiError::Unreadable { .. }) => "unreadable_answer",
            Self::Environment { .. } => "environment",
            Self::Output(_) => "output",
            Self::Internal { .. } => "internal",
        }
    }

    fn details(&self) -> &[ErrorDetail] {
        match self {
            Self::Api(ApiError::Refused { body, .. }) => &body.details,
            _ => &[],
        }
    }

    /// What to do about it.
    fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Api(ApiError::Transport(_)) => {
                Some("start a server with `stroem dev`, or name another with --server or STROEM_URL")
            }
            Self::Api(ApiError::Refused { status: 401 | 403, .. }) => {
                Some("give a token that may do this with --token or STROEM_TOKEN")
            }
            Self::Api(ApiError::Unreadable { .. }) => {
                Some("check that --server names a Strøm server of the same version as this program")
            }
            _ => None,
        }
    }

    /// Whether nobody is left to read about it.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// For people; ends with a newline.
    pub(crate) fn text(&self, color: bool) -> String {
        let paint = |text: &str, style: console::Style| style.force_styling(color).apply_to(text).to_string();
        let mut text = format!("{}: {self}\n", paint("error", console::Style::new().red().bold()));
        for ErrorDetail { place, message } in self.details() {
            text += &format!("  {place}: {message}\n");
        }
        if let Some(remedy) = self.remedy() {
            text += &format!("{}: {remedy}\n", paint("help", console::Style::new().cyan().bold()));
        }
        text
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        json!({
            "error": self.to_string(),
            "code": self.code(),
            "details": self.details(),
            "help": self.remedy(),
            "exit_code": self.exit().code(),
        })
    }
}
