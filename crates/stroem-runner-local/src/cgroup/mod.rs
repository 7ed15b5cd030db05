//! Control groups of attempts: membership that `setsid` cannot leave, limits, peaks, one kill for all.
//!
//! [`mounts`] finds the groups that this process is in, [`Host`] knows which of them take groups of attempts below
//! them, [`Group`] is what one attempt has. What the host does not offer is named, and the attempt runs without it.
//! Must not know processes beyond their numbers.

mod group;
mod host;
mod mounts;

pub(crate) use group::{Group, kill, members, remove};
pub(crate) use host::Host;

/// The begin of the name of every attempt's group; the marker follows.
pub(crate) const PREFIX: &str = "stroem-";

/// Which generation of control groups a directory belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    One,
    Two,
}
