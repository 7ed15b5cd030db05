//! The embedded store on SQLite: one writer thread, group commit, logs in a second file.
//!
//! Only this crate knows SQLite and its SQL. Writes go through one thread that commits whatever waits in one
//! transaction; reads have connections of their own. It must not know what events mean: it loads what a batch asks for
//! and writes what it answers.

mod adoption;
mod codec;
mod connection;
mod counters;
mod data_dir;
mod dispatch;
mod failure;
mod job;
mod log;
mod migrations;
mod reader;
mod store;
pub mod transfer;
mod worker;
mod writer;

pub use counters::Statistics;
pub use store::{Durability, SqliteStore};
