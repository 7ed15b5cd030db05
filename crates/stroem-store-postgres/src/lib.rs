//! The store on PostgreSQL 14 or newer: for several servers, and for more than one machine.
//!
//! Only this crate knows PostgreSQL and its SQL; its files are named as those of the embedded store, so that the two
//! can be laid side by side. A commit is one transaction of two round trips, a claim one of one. It must not know what
//! events mean: it loads what a batch asks for and writes what it answers.

mod address;
mod adoption;
mod blob;
mod codec;
mod connection;
mod counters;
mod dispatch;
mod failure;
mod hints;
mod job;
mod leader;
mod log;
mod migrations;
mod pool;
mod reader;
mod store;
mod tls;
pub mod transfer;
mod worker;
mod writer;

pub use counters::Statistics;
pub use store::{Options, PostgresStore};
