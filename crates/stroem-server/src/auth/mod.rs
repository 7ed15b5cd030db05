//! Who may do what: static tokens with a role, sessions of people who logged in, and a line for everything that somebody
//! did. Every route is closed unless [`need`] says otherwise. The worker protocol has its own tokens and passes by.

mod address;
mod audit;
mod check;
mod config;
mod cookie;
mod failures;
mod need;
pub(crate) mod routes;
mod tokens;

pub(crate) use audit::Subject;
pub(crate) use check::check;
pub(crate) use config::{AUTH, WrittenAuth, read};
pub(crate) use tokens::{Identity, Way};

use std::sync::Mutex;

use self::{address::Network, failures::Failures, tokens::KnownToken};

/// What is checked of each request.
#[derive(Debug)]
pub struct Access {
    tokens: Vec<KnownToken>,
    trusted_proxies: Vec<Network>,
    open_metrics: bool,
    failures: Mutex<Failures>,
}

impl Access {
    /// Everybody who can reach the server may do everything.
    pub fn open() -> Self {
        Self::new(&AuthOptions::default(), true)
    }

    /// As it is configured.
    pub fn new(options: &AuthOptions, open_metrics: bool) -> Self {
        Self {
            tokens: options.tokens.clone(),
            trusted_proxies: options.trusted_proxies.clone(),
            open_metrics,
            failures: Mutex::default(),
        }
    }

    /// Whether anybody is asked who they are.
    pub fn is_closed(&self) -> bool {
        !self.tokens.is_empty()
    }
}

/// The tokens of a configuration, as hashes, and whose word counts for a client's address.
#[derive(Debug, Clone, Default)]
pub struct AuthOptions {
    tokens: Vec<KnownToken>,
    trusted_proxies: Vec<Network>,
}

impl AuthOptions {
    /// Whether there is a token.
    pub fn is_configured(&self) -> bool {
        !self.tokens.is_empty()
    }
}
