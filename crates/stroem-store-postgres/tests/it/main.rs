//! The store on PostgreSQL against the port's suite, and what is its own: migrations, TLS, broken connections, round
//! trips, claims under load, several servers.

mod conformance;
mod support;
