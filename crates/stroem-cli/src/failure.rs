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
            Self::Api(ApiError::Refused { body, .. }) if body.code == "task_broken" => Exit::Failed,
            // 501 is a refusal too: this version cannot run the task.
            Self::Api(ApiError::Refused { status, .. }) if *status < 500 || *status == 501 => Exit::Refused,
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
        let said = self.to_string();
        let mut text = format!("{}: {said}\n", paint("error", console::Style::new().red().bold()));
        let unsaid = self.details().iter().filter(|detail| !said.contains(&detail.message));
        for ErrorDetail { place, message } in unsaid {
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

#[cfg(test)]
mod tests {
    use stroem_api::{ErrorBody, TransportError};

    use super::*;

    fn refused(status: u16, code: &str, error: &str, details: &[(&str, &str)]) -> Failure {
        let detail = |(place, message): &(&str, &str)| ErrorDetail {
            place: (*place).to_owned(),
            message: (*message).to_owned(),
        };
        let details = details.iter().map(detail).collect();
        ApiError::Refused {
            status,
            body: ErrorBody { error: error.to_owned(), code: code.to_owned(), details },
        }
        .into()
    }

    fn unreachable() -> Failure {
        let message =
            "client error (Connect): tcp connect error: Connection refused (os error 111)".to_owned();
        ApiError::Transport(TransportError { server: "http://127.0.0.1:8080".to_owned(), message }).into()
    }

    #[test]
    fn failures_say_the_remedy() {
        let failures = [
            unreachable(),
            refused(
                400,
                "invalid_input",
                "the input has 2 problem(s)",
                &[("n", "is required"), ("mood", "unknown")],
            ),
            refused(404, "no_such_task", "there is no task `helo`; did you mean `hello`?", &[]),
            refused(401, "no_token", "this server asks for a token", &[]),
            refused(500, "internal", "the server made a mistake", &[]),
            ApiError::Unreadable { path: "/api/jobs".to_owned(), message: "expected value".to_owned() }
                .into(),
            Failure::usage("--input is not JSON"),
            Failure::environment("127.0.0.1:8080 is taken"),
            Failure::Output(io::Error::other("disk full")),
        ];
        let text: Vec<String> = failures
            .iter()
            .map(|failure| format!("{}exit code {}", failure.text(false), failure.exit().code()))
            .collect();
        insta::assert_snapshot!(text.join("\n\n"));
    }

    #[test]
    fn programs_read_failures_as_json() {
        let failure = refused(400, "invalid_input", "the input has 1 problem(s)", &[("n", "is required")]);
        insta::assert_snapshot!(format!("{}\n{}", failure.json(), unreachable().json()));
    }

    #[test]
    fn only_a_closed_pipe_is_silent() {
        assert!(Failure::Output(io::ErrorKind::BrokenPipe.into()).is_closed_pipe());
        assert!(!Failure::Output(io::ErrorKind::StorageFull.into()).is_closed_pipe());
        assert!(!unreachable().is_closed_pipe());
    }
}
