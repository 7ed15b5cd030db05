//! HTTP: the public API, the worker protocol and live streams, on axum.
