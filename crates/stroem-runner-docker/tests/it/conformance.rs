//! The suite that every runner passes.

stroem_runner::conformance_tests!(crate::support::subject!());
