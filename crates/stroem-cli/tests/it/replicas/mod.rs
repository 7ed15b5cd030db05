//! Several servers on one PostgreSQL, behind a balancer that knows nothing of them but where they listen.

mod balancer;
mod cluster;
mod endurance;
mod facts;
mod idle;
mod leading;
mod start;
mod workers;
