//! `stroem schema`

use crate::{exit::Exit, failure::Failure, terminal::Terminal};

/// Options of `stroem schema`.
#[derive(Debug, clap::Args)]
pub(crate) struct Schema {}

impl Schema {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        terminal.json(&stroem_workflow::schema::workflow_file())?;
        Ok(Exit::Done)
    }
}
