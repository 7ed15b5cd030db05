//! Real processes: what a step sees, how it ends, and that nothing of it is left.

mod conformance;
mod crash;
mod host;
mod languages;
mod support;
mod trees;
