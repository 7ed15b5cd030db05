//! What this process is told from outside: its environment and its signals.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// Every variable of the environment.
#[expect(clippy::disallowed_methods, reason = "the program's one look at its environment")]
pub(crate) fn environment() -> Vec<(String, String)> {
    std::env::vars().collect()
}

/// One variable, or a default.
pub(crate) fn variable(name: &str, default: &str) -> String {
    environment()
        .into_iter()
        .find(|(key, _)| key == name)
        .map_or_else(|| default.to_owned(), |(_, value)| value)
}

/// The host's name.
pub(crate) fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// Cancels the token at the first SIGINT or SIGTERM.
pub(crate) async fn until_told(shutdown: CancellationToken) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    tokio::select! {
        () = signals.next() => {}
        () = shutdown.cancelled() => {}
    }
    shutdown.cancel();
    Ok(())
}

/// SIGTERM and SIGINT, from when this is made; none that came since is missed.
pub(crate) struct Signals {
    term: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(crate) fn listen() -> Result<Self, Failure> {
        let cannot =
            |error: std::io::Error| Failure::environment(format!("cannot listen for signals: {error}"));
        Ok(Self {
            term: signal(SignalKind::terminate()).map_err(cannot)?,
            interrupt: signal(SignalKind::interrupt()).map_err(cannot)?,
        })
    }

    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
