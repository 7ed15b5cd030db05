//! The worker protocol, version [`PROTOCOL`]. Register once with the worker token; then poll, report and heartbeat with
//! the session token that the registration gave. JSON, except the body of a report, see [`Report::encode`].
//!
//! - `POST /worker/register` [`RegisterRequest`] -> [`RegisterResponse`]
//! - `POST /worker/poll` [`PollRequest`] -> [`PollResponse`]; held open until there is something to say
//! - `POST /worker/report` [`Report`] -> [`ReportResponse`]
//! - `POST /worker/leftovers` [`LeftoversRequest`] -> [`LeftoversResponse`]
//! - `POST /worker/heartbeat` -> [`HeartbeatResponse`]
//! - `POST /worker/leave` (the worker ends by itself and holds nothing)
//! - `GET /worker/workspaces/{workspace}/{revision}` -> `tar.zst`

mod poll;
mod register;
mod report;

pub use poll::{Adopted, ClaimedStep, Kill, PollRequest, PollResponse, StoredLog, download_path};
pub use register::{
    HeartbeatRequest, HeartbeatResponse, LeftoversRequest, LeftoversResponse, RegisterRequest,
    RegisterResponse,
};
pub use report::{
    AttemptReport, ChunkAnswer, ChunkMeta, Report, ReportAnswer, ReportError, ReportKind, ReportResponse,
    ReportVerdict,
};

/// The protocol that this build speaks; a server serves this one and the one before. Version 2 brought adoption: a
/// worker of version 1 names no scopes and is offered nothing.
pub const PROTOCOL: u32 = 2;
