//! Errors as they travel: a sentence, a stable code, and the remedy where there is one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::TransportError;

/// The body of every response that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// What is wrong and what to do, in one or two sentences.
    pub error: String,
    /// A stable code, such as `invalid_input`, `no_such_task`, `job_ended`.
    pub code: String,
    /// Single problems, when there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<ErrorDetail>,
}

/// One problem of several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    /// The field, file or step it is about.
    pub place: String,
    /// What is wrong with it.
    pub message: String,
}

/// Why a call gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The server answered with an error.
    #[error("{}", body.error)]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The server's words.
        body: ErrorBody,
    },
    /// The server could not be reached, or the connection broke.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The answer is not what this build expects.
    #[error("the server's answer to {path} cannot be read: {message}")]
    Unreadable {
        /// The path that was called.
        path: String,
        /// What is wrong with it.
        message: String,
    },
}

impl ApiError {
    /// The server's stable code, when it gave one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { body, .. } => Some(&body.code),
            Self::Transport(_) | Self::Unreadable { .. } => None,
        }
    }
}
