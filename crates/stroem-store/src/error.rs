//! Why a store could not answer.

/// A failure of the store itself. Refused events are answers, not errors.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached or is shutting down; the caller may try again.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// The asked-for job does not exist.
    #[error("there is no such job")]
    NoSuchJob,
    /// The database holds something that this build cannot read.
    #[error("the store holds unreadable data: {0}")]
    Corrupt(String),
    /// The database refused: a defect of this program or of the database.
    #[error("the store failed: {0}")]
    Internal(String),
}
