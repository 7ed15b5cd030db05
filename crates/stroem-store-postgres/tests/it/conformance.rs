//! The port's suite.

stroem_store::store_conformance!(skippable crate::support::fresh);
