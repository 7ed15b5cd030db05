//! `stroem openapi`

use crate::{exit::Exit, failure::Failure, terminal::Terminal};

/// Options of `stroem openapi`.
#[derive(Debug, clap::Args)]
pub(crate) struct Openapi {}

impl Openapi {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        terminal.json(&stroem_server::openapi())?;
        Ok(Exit::Done)
    }
}
