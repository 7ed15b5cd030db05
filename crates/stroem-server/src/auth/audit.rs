//! One line for everything that somebody did or tried: who, what, to what, from where, with what result. Written to the
//! program's log under the target `audit`, never with a token.

use std::net::IpAddr;

use http::StatusCode;

use super::{Identity, Way};

/// What came of a request, for its line: a job that it made.
#[derive(Debug, Clone)]
pub(crate) struct Subject(pub(crate) String);

/// A line.
pub(super) struct Line<'a> {
    pub(super) who: Option<&'a Identity>,
    /// Method and route.
    pub(super) action: &'a str,
    /// The path that was asked for.
    pub(super) on: &'a str,
    pub(super) from: Option<IpAddr>,
    pub(super) status: StatusCode,
    /// The stable code of a refusal, or what came of it.
    pub(super) result: &'a str,
}

impl Line<'_> {
    pub(super) fn write(&self) {
        let from = self.from.map_or_else(|| "this process".to_owned(), |address| address.to_string());
        let (who, role, way) = match self.who {
            Some(identity) => (
                identity.name.as_deref().unwrap_or("anybody"),
                identity.role.as_str(),
                match identity.way {
                    Way::Nobody => "none",
                    Way::Token => "token",
                    Way::Session => "session",
                },
            ),
            None => ("unknown", "none", "none"),
        };
        tracing::info!(
            target: "audit",
            who,
            role,
            way,
            action = self.action,
            on = self.on,
            from,
            status = self.status.as_u16(),
            result = self.result,
            "audit"
        );
    }
}
