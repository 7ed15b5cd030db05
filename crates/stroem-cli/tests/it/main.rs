//! The built program as users run it: local runs, real servers and workers, crashes.

mod basics;
mod breadth;
mod commands;
mod crashes;
mod harness;
mod logs;
mod review;
mod routing;
mod scenarios;
