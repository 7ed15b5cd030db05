//! HTTP over the application: the public API, the worker protocol, live streams.
//!
//! Knows axum and wire types; must not know SQL, stores or sources. A handler reads the request, calls one use case and
//! turns its answer into a wire type. The router serves a socket or, through [`RouterTransport`], the same process.

mod auth;
mod config;
mod convert;
mod error;
mod guard;
mod live;
mod page;
mod public;
mod router;
mod serve;
mod service;
mod stores;
mod transport;
mod worker;

pub use auth::{Access, AuthOptions};
pub use config::{Database, SCHEMA, ServerConfig};
pub use router::{guarded_router, openapi, router};
pub use serve::{ServeError, Served, serve};
pub use service::{Stores, run};
pub use stores::open;
pub use transport::RouterTransport;
