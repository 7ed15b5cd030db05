//! The built program as users run it: local runs, real servers and workers, crashes.

mod adoption;
mod adoption_pods;
mod basics;
mod breadth;
mod chaos;
mod chart;
mod commands;
mod copy;
mod crashes;
mod docker;
mod harness;
mod images;
mod large;
mod logs;
mod outputs;
mod pods;
mod postgres;
mod quiet;
mod replicas;
mod review;
mod routing;
mod scenarios;
mod size;
