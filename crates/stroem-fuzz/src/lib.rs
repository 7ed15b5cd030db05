//! Fuzzing on stable Rust: seeded, so that a finding comes again; guided by what a target says about an input, in place
//! of instrumented code. A target is a file in `targets` and a line in [`targets::all`]. Nothing here is shipped.

pub mod corpus;
pub mod drive;
mod memory;
pub mod mutate;
pub mod random;
pub mod targets;
