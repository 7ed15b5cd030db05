//! Wire types of the public API and of the worker protocol, and a client for each.
//!
//! Knows shapes, paths and error codes; must not know stores, engines or how a server finds its answers. Both clients
//! speak over a [`Transport`], so that the same code talks to a server by HTTP or in the same process.

mod client;
mod control_plane;
mod error;
mod http_transport;
pub mod public;
mod sse;
mod transport;
pub mod worker;

pub use client::ApiClient;
pub use control_plane::ControlPlane;
pub use error::{ApiError, ErrorBody, ErrorDetail};
pub use http_transport::{HttpTransport, HttpTransportError};
pub use sse::{SseDecoder, SseEvent};
pub use transport::{ResponseBody, Transport, TransportError, collect};
