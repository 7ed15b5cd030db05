//! Registration and heartbeats.

use serde::{Deserialize, Serialize};
use stroem_core::{InstanceId, LeaseKey, Secret, TagSet, WorkerId, WorkerName};

/// A worker introduces itself. `Authorization: Bearer <worker_token>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterRequest {
    /// [`super::PROTOCOL`] of its build.
    pub protocol: u32,
    /// Its name.
    pub name: WorkerName,
    /// Its process.
    pub instance: InstanceId,
    /// Its tags, without the withdrawn ones.
    pub tags: TagSet,
    /// Tags of its config that it cannot serve now, with the reason.
    pub withdrawn: Vec<(String, String)>,
    /// `exclusive: true`.
    pub exclusive: bool,
    /// How many steps it runs at once.
    pub capacity: u32,
    /// Its program's version.
    pub version: String,
    /// Leases that it still holds, or whose reports it still has: the others of its name end as lost at once.
    pub surviving: Vec<LeaseKey>,
}

/// The answer to a registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterResponse {
    /// Its id.
    pub worker_id: WorkerId,
    /// The token for everything else.
    pub session_token: Secret,
    /// How often to send a heartbeat, in milliseconds.
    pub heartbeat_interval_ms: u64,
    /// After how long without one it is judged lost, in milliseconds.
    pub heartbeat_timeout_ms: u64,
    /// Surviving leases that are over: their steps are to be stopped.
    pub lost: Vec<LeaseKey>,
}

/// Things with our labels that a worker found on its platforms and does not run itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftoversRequest {
    /// The leases that they were made under.
    pub found: Vec<LeaseKey>,
}

/// What may be removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftoversResponse {
    /// Those whose attempts are over. The others run, wait for a worker, or are not of this server.
    pub dead: Vec<LeaseKey>,
}

/// The worker is alive; renews all of its leases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatRequest {
    /// It takes no more steps and will leave.
    pub draining: bool,
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatResponse {}
