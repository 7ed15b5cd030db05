//! Serves a router on a socket.

use std::{future::IntoFuture, net::SocketAddr, time::Duration};

use axum::Router;
use stroem_app::App;
use tokio::net::TcpListener;

use crate::guard::Guard;

/// Why a server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Without authentication only loopback is served.
    #[error(
        "this server has no authentication, so it listens on loopback only and not on {0}: \
         name tokens under `auth`, or set `allow_unauthenticated: true` if everybody who can reach it may run everything"
    )]
    Unauthenticated(SocketAddr),
    /// The address is taken or not this machine's.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// A server that listens.
pub struct Served {
    /// Where it listens, with the port that was chosen for port 0.
    pub address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

/// How long open connections may finish what they are at.
const GRACE: Duration = Duration::from_secs(5);

/// Listens at once and serves until the application stops. `open_to_all` is for a router that asks who somebody is, and
/// for who wants one that does not beyond this machine.
///
/// # Errors
/// [`ServeError`].
pub async fn serve(
    app: &App,
    router: Router,
    address: SocketAddr,
    open_to_all: bool,
) -> Result<Served, ServeError> {
    if !address.ip().is_loopback() && !open_to_all {
        return Err(ServeError::Unauthenticated(address));
    }
    let bind = |source| ServeError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(bind)?;
    let address = listener.local_addr().map_err(bind)?;
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        // Latency matters more than packets; a socket that refuses is still usable.
        let _ = stream.set_nodelay(true);
    });
    let stop = app.stopping().clone();
    let stopped = stop.clone();
    let guard = Guard { loopback_names_only: address.ip().is_loopback() && !open_to_all };
    let service = guard.around(router).into_make_service_with_connect_info::<SocketAddr>();
    let serving =
        axum::serve(listener, service).with_graceful_shutdown(async move { stop.cancelled().await });
    #[expect(clippy::disallowed_methods, reason = "joined by Served::stopped")]
    let task = tokio::spawn(async move {
        tokio::select! {
            result = serving.into_future() => {
                if let Err(error) = result {
                    tracing::error!(%error, "the server ended");
                }
            }
            () = async { stopped.cancelled().await; tokio::time::sleep(GRACE).await } => {}
        }
    });
    Ok(Served { address, task })
}

impl Served {
    /// Waits until the socket is closed; stop the application first.
    pub async fn stopped(self) {
        // A panic in the accept loop was reported by the runtime.
        let _ = self.task.await;
    }
}
