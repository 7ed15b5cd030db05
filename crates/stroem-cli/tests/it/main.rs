//! The built program as users run it: local runs, real servers and workers, crashes.

mod adoption;
mod adoption_pods;
mod basics;
mod breadth;
mod chaos;
mod commands;
mod crashes;
mod docker;
mod harness;
mod large;
mod logs;
mod pods;
mod postgres;
mod quiet;
mod review;
mod routing;
mod scenarios;
mod size;
