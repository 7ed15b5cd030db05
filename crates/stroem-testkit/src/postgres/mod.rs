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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_server_ends_with_its_last_user() {
        let server = match private(&Setup::default()) {
            Ok(server) => server,
            Err(missing) => return crate::skip("a_server_ends_with_its_last_user", &missing.0),
        };
        let socket = server.socket_file();
        let home = socket.ancestors().nth(2).expect("the server's folder").to_owned();
        let number = std::fs::read_to_string(home.join("data/postmaster.pid")).expect("it runs");
        let process = std::path::Path::new("/proc").join(number.lines().next().expect("its number"));
        assert_eq!(server.psql("postgres", "SHOW port"), server.port().to_string());
        // Ended but not reaped is ended: who reaps an orphan is the system's business.
        let runs = || std::fs::read_to_string(process.join("stat")).is_ok_and(|stat| !stat.contains(") Z "));
        assert!(runs());
        drop(server);
        for _ in 0..600 {
            if !home.exists() && !runs() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("after a minute {} is still there or {} still runs", home.display(), process.display());
    }
}
