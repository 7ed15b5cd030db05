//! Why a worker cannot run. What happens to steps is never an error here but an outcome.

use std::{io, path::PathBuf};

use stroem_logs::spool::SpoolError;

/// Why a worker cannot run.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The state directory cannot be used.
    #[error("the state directory {} cannot be used: {source}", path.display())]
    StateDir {
        /// Its path.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Another worker uses the state directory.
    #[error("another worker uses the state directory {}: give each its own `worker_name` or `state_dir`", path.display())]
    StateDirInUse {
        /// Its path.
        path: PathBuf,
    },
    /// The workspace cache cannot be used.
    #[error("the workspace cache {} cannot be used: {source}", path.display())]
    CacheDir {
        /// Its path.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// What an earlier run left cannot be read.
    #[error("logs and results of an earlier run cannot be read")]
    Spool(#[from] SpoolError),
    /// The server does not take the worker token.
    #[error("{server} refuses this worker: {message}")]
    Token {
        /// The server.
        server: String,
        /// Its words.
        message: String,
    },
}
