//! The store port: traits per aggregate and their conformance suite.
