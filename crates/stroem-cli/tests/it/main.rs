//! The built program as users run it: local runs, real servers and workers, crashes.

mod basics;
mod chaos;
mod commands;
mod crashes;
mod harness;
mod large;
mod logs;
mod quiet;
mod routing;
mod scenarios;
mod size;
