//! What can go wrong inside an operation, before it becomes the port's error.

use std::error::Error as _;

use stroem_store::StoreError;
use tokio_postgres::error::SqlState;

/// A failure of an operation.
#[derive(Debug)]
pub(crate) enum Failure {
    Sql(tokio_postgres::Error),
    Store(StoreError),
}

/// What an operation comes to.
pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    pub(crate) fn corrupt(what: impl std::fmt::Display) -> Self {
        Self::Store(StoreError::Corrupt(what.to_string()))
    }

    pub(crate) fn unavailable(what: impl std::fmt::Display) -> Self {
        Self::Store(StoreError::Unavailable(what.to_string()))
    }

    pub(crate) fn internal(what: impl std::fmt::Display) -> Self {
        Self::Store(StoreError::Internal(what.to_string()))
    }

    /// Whether the connection went away, so that nobody knows what the server did with the request.
    pub(crate) fn is_lost(&self) -> bool {
        let Self::Sql(error) = self else { return false };
        match error.code() {
            Some(code) => is_shutdown(code),
            // Without a code it is no answer of the server.
            None => error.is_closed() || error.source().is_some_and(|source| source.is::<std::io::Error>()),
        }
    }
}

/// The server ends the connection, or does not take any now.
fn is_shutdown(code: &SqlState) -> bool {
    *code == SqlState::ADMIN_SHUTDOWN
        || *code == SqlState::CRASH_SHUTDOWN
        || *code == SqlState::CANNOT_CONNECT_NOW
        || *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
        || code.code().starts_with("08")
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match &failure {
            Failure::Sql(error) => of_sql(error, failure.is_lost()),
            Failure::Store(_) => match failure {
                Failure::Store(error) => error,
                Failure::Sql(error) => Self::Internal(explain(&error)),
            },
        }
    }
}

fn of_sql(error: &tokio_postgres::Error, lost: bool) -> StoreError {
    let text = explain(error);
    let Some(code) = error.code() else {
        return if lost { StoreError::Unavailable(text) } else { StoreError::Internal(text) };
    };
    // The first two characters are the class: 53 resources, 55 locks, 57 operators, 58 disks, XX damage; 40 is a
    // transaction that may be tried again.
    match &code.code()[..2] {
        "XX" => StoreError::Corrupt(text),
        "08" | "40" | "53" | "55" | "57" | "58" => StoreError::Unavailable(text),
        _ => StoreError::Internal(text),
    }
}

/// The error with its causes and the server's own words.
pub(crate) fn explain(error: &tokio_postgres::Error) -> String {
    if let Some(answer) = error.as_db_error() {
        let hint = answer.detail().or(answer.hint()).map(|text| format!(" ({text})")).unwrap_or_default();
        return format!("{}{hint} [{}]", answer.message(), answer.code().code());
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}
