//! `stroem db copy`

use std::{collections::BTreeMap, path::PathBuf, sync::Mutex};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use stroem_store::transfer::{self, Copied, CopyError, Progress};

use crate::{
    compose::copy::{self, End},
    exit::Exit,
    failure::Failure,
    render, runtime,
    terminal::{Format, Terminal},
};

/// Options of `stroem db`.
#[derive(Debug, clap::Args)]
pub(crate) struct Db {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Copy an installation into another, empty database while no server uses either
    ///
    /// Jobs, steps, logs, leases and workers are copied in one transaction: after an error, or an abort at any time,
    /// the target is empty as before and the command can be run again. Jobs that run go on when a server is started on
    /// the target: workers keep their sessions and report there what happened meanwhile, if they find it at the same
    /// address.
    ///
    /// Sealed logs, revisions and the key of secret inputs are files in the server's data directory. The new server
    /// keeps using that directory; where FROM and TO are configurations with different ones, they are copied as well.
    Copy {
        /// What to read: sqlite:DIRECTORY, postgres://..., or a server's configuration file
        from: String,
        /// What to write: likewise
        to: String,
    },
}

impl Db {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        let What::Copy { from, to } = self.what;
        let (from, to) = (End::parse(&from)?, End::parse(&to)?);
        let done = runtime::serving(copy_all(&from, &to, terminal))?;
        match terminal.format() {
            Format::Json => terminal.json(&json!({
                "from": from.name(),
                "to": to.name(),
                "tables": done.tables.iter().map(|table| (table.table, table.rows)).collect::<BTreeMap<_, _>>(),
                "files": done.files,
                "data_dir": done.data_dir,
            }))?,
            Format::Text => terminal.result(&text(&from, &to, &done))?,
        }
        Ok(Exit::Done)
    }
}

/// What was copied.
struct Done {
    tables: Vec<Copied>,
    /// Files of the data directory; none when they stay where they are.
    files: Option<u64>,
    /// The new server's data directory.
    data_dir: Option<PathBuf>,
}

async fn copy_all(from: &End, to: &End, terminal: &Terminal) -> Result<Done, Failure> {
    let cannot = |side: &str, end: &End, error: &dyn std::fmt::Display| {
        Failure::environment(format!("cannot use the {side} {}: {error}", end.name()))
    };
    let mut source = from.export().await.map_err(|error| cannot("source", from, &error))?;
    let target = to.import().await.map_err(|error| cannot("target", to, &error))?;
    let files = match (&from.data_dir, &to.data_dir) {
        (Some(old), Some(new)) if old != new => Some(copy::files(old, new)?),
        _ => None,
    };
    let bar = Bar::new(terminal);
    let copied = transfer::copy(&mut *source, target, &|progress| bar.show(progress)).await;
    bar.clear();
    let tables = copied.map_err(|error| {
        let end = if matches!(error, CopyError::Source(_)) { from } else { to };
        let remedy = match &error {
            CopyError::NotEmpty { .. } => "; name an empty database, or remove what is in this one",
            CopyError::Source(_) | CopyError::Target(_) | CopyError::Differs { .. } => {
                "; nothing was copied, so run it again"
            }
        };
        Failure::environment(format!("{}: {error}{remedy}", end.name()))
    })?;
    Ok(Done { tables, files, data_dir: to.data_dir.clone().or_else(|| from.data_dir.clone()) })
}

fn text(from: &End, to: &End, done: &Done) -> String {
    let rows: Vec<Vec<String>> =
        done.tables.iter().map(|table| vec![table.table.to_owned(), table.rows.to_string()]).collect();
    let mut text = render::table(&["TABLE", "ROWS"], &rows);
    text += &format!("copied {} to {}\n", from.name(), to.name());
    match (done.files, &done.data_dir) {
        (Some(files), Some(dir)) => text += &format!("copied {files} file(s) to {}\n", dir.display()),
        (_, Some(dir)) => {
            text += &format!(
                "the new server needs the key, the sealed logs and the revisions in {}: keep `data_dir` as it is\n",
                dir.display()
            );
        }
        (_, None) => {}
    }
    text
}

/// A bar on a terminal, a line for each table elsewhere.
struct Bar<'t> {
    terminal: &'t Terminal,
    bar: Option<ProgressBar>,
    table: Mutex<&'static str>,
}

impl<'t> Bar<'t> {
    fn new(terminal: &'t Terminal) -> Self {
        let bar = terminal.is_live().then(|| {
            let style =
                ProgressStyle::with_template("{bar:30} {percent:>3}% {human_pos} of {human_len} rows, {msg}");
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
            bar.with_style(style.expect("the names in the template are those of the library"))
        });
        Self { terminal, bar, table: Mutex::new("") }
    }

    fn show(&self, progress: Progress) {
        if let Some(bar) = &self.bar {
            bar.set_length(progress.rows_total);
            bar.set_position(progress.rows);
            bar.set_message(progress.table);
            return;
        }
        let mut table = self.table.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *table != progress.table {
            *table = progress.table;
            let Progress { rows, rows_total, .. } = progress;
            self.terminal.note(&format!("copying {}: {rows} of {rows_total} rows so far\n", progress.table));
        }
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
