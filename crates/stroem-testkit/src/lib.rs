//! Helps of tests, for development only: what more than one crate's tests need and no user ever gets.

pub mod postgres;
mod skip;

pub use skip::skip;
