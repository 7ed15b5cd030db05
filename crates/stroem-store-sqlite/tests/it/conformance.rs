//! The port's suite.

stroem_store::store_conformance!(crate::support::fresh);
