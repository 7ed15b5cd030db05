//! A throw-away PostgreSQL server, from the programs `initdb` and `pg_ctl` of this machine.
//!
//! Starting a server takes a second, and test runners start one process for each test. So there is one [`shared`] server
//! for all tests of a user, started by the first that needs it, and each test makes a database of its own in it. Tests
//! that restart or configure a server have a [`private`] one.
//!
//! A server never outlives its tests: every test process holds a lock while it uses the server, which the kernel takes
//! back however the process ends, and a keeper (a shell script beside each server) ends the server and removes its files
//! when nobody has held the lock for some seconds. A keeper that was killed is replaced by the next test.

mod database;
mod programs;
mod server;

pub use database::Database;
pub use programs::Missing;
pub use server::{Restart, Server, Setup};

/// The server that all tests share: reached by a socket file, without TLS, to be left as it is.
///
/// # Errors
/// [`Missing`] when there is no PostgreSQL here: the test has to be skipped.
///
/// # Panics
/// When PostgreSQL is there and does not start.
pub fn shared() -> Result<Server, Missing> {
    Server::shared()
}

/// A server for one test, ended with it.
///
/// # Errors
/// As [`shared`].
///
/// # Panics
/// As [`shared`].
pub fn private(setup: &Setup) -> Result<Server, Missing> {
    Server::private(setup)
}
