//! Faults between real workers and a real server: a proxy that knows the protocol's steps, what it may do at each,
//! and the jobs that must come through it unharmed.

mod cut_off;
mod fault;
pub(crate) mod jobs;
mod protocol;
mod proxy;
mod random;
mod run;

pub(crate) use self::{
    fault::{Fault, Plan, ProtocolStep, Rule},
    proxy::{Order, Proxy},
};
