//! The runner on a real engine. Without one each test says that it was skipped.

mod conformance;
mod engines;
mod images;
mod leftovers;
mod pulls;
mod rules;
mod speed;
mod support;
