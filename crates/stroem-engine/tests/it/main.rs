//! The job state machine from outside: random DAGs, random events, invariants after each.

mod cases;
mod random;
mod scenarios;
mod world;
