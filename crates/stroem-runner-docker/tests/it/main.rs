//! The runner on a real engine. Without one each test says that it was skipped.

mod conformance;
mod images;
mod rules;
mod support;
