//! Real processes: what a step sees, how it ends, and that nothing of it is left.

mod crash;
mod ends;
mod harness;
mod isolation;
mod stop;
