//! Test support: scenario loader, simulator, fakes.
