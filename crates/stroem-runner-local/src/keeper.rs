//! The keeper: a small process that outlives the worker just long enough to kill what the worker started.
//!
//! It holds the read end of a pipe. The worker writes a line for each attempt before it starts anything of it and one
//! when nothing is left; when the pipe ends, also by a kill -9 of the worker, the keeper kills what is still registered.
//! It must be started before the async runtime, and knows nothing of steps or servers.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::process::kill_left;

/// The hidden first argument that makes this program a keeper.
const ARGUMENT: &str = "__stroem-keeper";
/// How long the keeper tries to kill one attempt's processes.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// Becomes the keeper and never returns, when this process was started as one. Call it first in `main`.
pub fn maybe_run_as_keeper() {
    if std::env::args().nth(1).as_deref() == Some(ARGUMENT) {
        run(BufReader::new(std::io::stdin()));
        #[expect(clippy::disallowed_methods, reason = "the keeper has no other end")]
        std::process::exit(0);
    }
}

fn run(lines: impl BufRead) {
    let mut attempts: HashMap<String, Vec<PathBuf>> = HashMap::new();
    for line in lines.lines().map_while(Result::ok) {
        let mut fields = line.split('\t');
        match (fields.next(), fields.next()) {
            (Some("+"), Some(marker)) => {
                attempts.insert(marker.to_owned(), fields.map(PathBuf::from).collect());
            }
            (Some("-"), Some(marker)) => {
                attempts.remove(marker);
            }
            _ => {}
        }
    }
    for (marker, groups) in attempts {
        kill_left(&marker, &groups, KILL_LIMIT);
    }
}

/// The worker's end. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Keeper {
    process: Arc<Mutex<Option<Child>>>,
}

impl Keeper {
    /// Starts the keeper: this program again, in a session of its own, deaf to the terminal's signals.
    ///
    /// # Errors
    /// When this program cannot be started again.
    pub fn spawn() -> std::io::Result<Self> {
        let mut command = Command::new("/proc/self/exe");
        command.arg(ARGUMENT).env_clear().stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // A group of its own: a Ctrl-C in the terminal is for the worker.
        command.process_group(0);
        Ok(Self { process: Arc::new(Mutex::new(Some(command.spawn()?))) })
    }

    /// Its process.
    pub fn pid(&self) -> Option<u32> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Child::id)
    }

    pub(crate) fn register(&self, marker: &str, groups: &[PathBuf]) -> std::io::Result<()> {
        let mut line = format!("+\t{marker}");
        for group in groups {
            line.push('\t');
            line.push_str(&group.to_string_lossy());
        }
        self.write(&line)
    }

    pub(crate) fn release(&self, marker: &str) {
        if let Err(error) = self.write(&format!("-\t{marker}")) {
            tracing::error!(%error, "the keeper is gone: processes would survive a crash of this worker");
        }
    }

    fn write(&self, line: &str) -> std::io::Result<()> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = || std::io::Error::other("the keeper has ended");
        let pipe = process.as_mut().and_then(|process| process.stdin.as_mut()).ok_or_else(gone)?;
        pipe.write_all(format!("{line}\n").as_bytes())
    }

    /// Ends the keeper in an orderly shutdown: everything registered is killed now.
    pub fn stop(&self) {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut process) = process {
            drop(process.stdin.take());
            // It ends by itself within its kill limit.
            let _ = process.wait();
        }
    }
}
