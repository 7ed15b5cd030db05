//! The built program as users run it: local runs, real servers and workers, crashes.

mod basics;
mod commands;
mod crashes;
mod harness;
mod logs;
mod pods;
mod routing;
mod scenarios;
