//! Use cases and background services: what happens when somebody executes, cancels, looks, registers, polls, reports.
//!
//! Sits between the pure engine and the ports. Knows stores, sources and blobs only by their traits; must not know HTTP,
//! SQL, or which store it runs on. [`App::start`] gives a cheap handle; everything it spawns is tracked and joined by
//! [`App::stop`].

mod adoption;
mod app;
mod changes;
mod claims;
mod clock;
mod dispatch;
mod downloads;
mod error;
mod explain;
mod heartbeats;
mod history;
mod hub;
mod jobs;
mod leader;
mod log_map;
mod log_search;
mod logs;
mod mailbox;
mod metrics;
mod notes;
mod options;
mod people;
mod recovery;
mod replicas;
mod reports;
mod revisions;
mod sealer;
mod shared_blobs;
mod tarballs;
mod tasks;
mod timers;
mod vault;
mod waiting;
mod workers;
mod workspaces;

pub use adoption::{Adopted, StoredLog};
pub use app::App;
pub use changes::{Change, ChangeWatch, Place, Since};
pub use claims::ClaimedStep;
pub use clock::{Clock, SystemClock};
pub use dispatch::{PollAnswer, PollWish};
pub use error::AppError;
pub use explain::{ExplainedWorker, Explanation};
pub use history::{Activity, ActivityBucket, PastRun, TaskHistory};
pub use hub::JobSubscription;
pub use jobs::{JobView, shown_status};
pub use log_map::{ChunkPlace, LogMap};
pub use log_search::{LogHit, LogHits, LogSearch, Needle};
pub use logs::{LogEntry, LogPage, LogQuery};
pub use metrics::{Metrics, SECONDS_BUCKETS};
pub use options::AppOptions;
pub use reports::{ChunkIn, ReportIn, ReportOut, Verdict};
pub use vault::Vault;
pub use waiting::WaitingStep;
pub use workers::{RegisterWish, Registered, WorkerView};
pub use workspaces::{LoadedWorkspace, WorkspaceView};

// What the use cases take and give, so that a caller needs no port of its own.
pub use stroem_engine::{JobRow, Source, StopReason};
pub use stroem_logs::cursor::Cursor;
pub use stroem_store::{AttemptView, JobFilter, NewChunk, SharedStore, StepView, StoreError, WorkerRow};
