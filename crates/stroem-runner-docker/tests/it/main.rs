//! The runner on a real engine. Without one each test says that it was skipped.

mod conformance;
mod engines;
mod images;
mod leftovers;
mod pulls;
mod registry;
mod rules;
mod runner_image;
mod speed;
mod support;
mod wishes;
