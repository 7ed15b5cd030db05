//! `stroem jobs`

use crate::{
    exit::Exit,
    failure::Failure,
    remote::Remote,
    render, runtime,
    terminal::{Format, Terminal},
};

/// Options of `stroem jobs`.
#[derive(Debug, clap::Args)]
pub(crate) struct Jobs {
    /// Only this workspace's
    #[arg(long, short)]
    workspace: Option<String>,
    /// Only this task's
    #[arg(long)]
    task: Option<String>,
    /// Only jobs in this state
    #[arg(long)]
    status: Option<String>,
    /// Only jobs that were started like this: api, user, trigger, webhook, hook, task, mcp, event_source, retry, rerun
    #[arg(long)]
    source_type: Option<String>,
    /// Only jobs whose id, task or source has this text
    #[arg(long)]
    search: Option<String>,
    /// How many
    #[arg(long, default_value_t = 20)]
    limit: u32,
    #[command(flatten)]
    remote: Remote,
}

impl Jobs {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        let client = self.remote.client()?;
        let limit = self.limit.to_string();
        let wanted = [
            ("workspace", self.workspace.as_deref()),
            ("task_name", self.task.as_deref()),
            ("status", self.status.as_deref()),
            ("source_type", self.source_type.as_deref()),
            ("search", self.search.as_deref()),
            ("limit", Some(limit.as_str())),
        ];
        let query: Vec<_> = wanted.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        let list = runtime::asking(async { Ok(client.jobs(&query).await?) })?;
        match terminal.format() {
            Format::Json => terminal.json(&list)?,
            Format::Text => terminal.result(&render::job_table(&list))?,
        }
        Ok(Exit::Done)
    }
}
