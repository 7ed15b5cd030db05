//! Runs steps as processes on the worker's host.
