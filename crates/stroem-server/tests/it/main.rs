//! The router over the real application on the embedded store.

mod access;
mod audit;
mod fixture;
mod routes;
mod settings;
