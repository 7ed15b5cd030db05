//! The embedded store against the port's suite, and what is its own: files, durability, group commit.

mod conformance;
mod crash;
mod files;
mod group_commit;
mod support;
mod transfer;
