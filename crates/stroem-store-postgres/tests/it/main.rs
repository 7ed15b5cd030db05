//! The store on PostgreSQL against the port's suite, and what is its own: migrations, TLS, broken connections, round
//! trips, claims under load, several servers.

mod blobs;
mod claims;
mod commits;
mod conformance;
mod outages;
mod proxy;
mod replicas;
mod round_trips;
mod schema;
mod support;
mod tls;
mod transfer;
