//! The stages together, and what is kept on disks for years.

mod golden;
mod pipeline;
