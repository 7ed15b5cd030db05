//! The keeper: a small process that outlives the worker just long enough to kill what the worker started.
//!
//! It holds the read end of a pipe that nothing is ever written to, and a table in shared memory that the worker keeps up
//! to date: who is running, in which control groups. When the pipe ends, also by a kill -9 of the worker, it kills
//! everything in the table. An entry is made before anything of its attempt starts, and costs one system call and no wake-up.
//! Since the table belongs to neither process, a keeper that died is replaced by one that knows as much.
//!
//! It must be started before the async runtime, and knows nothing of steps or servers.

mod table;

use std::{
    io::{self, Read},
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use table::{Slot, Table};

use crate::{
    kill::{Remains, kill_remains},
    launch::ignore_termination,
    procfs::describe,
};

/// The hidden first argument that makes this program a keeper.
const ARGUMENT: &str = "__stroem-keeper";
/// How long the keeper tries to kill.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// Becomes the keeper and never returns, when this process was started as one. Call it first in `main`.
pub fn maybe_run_as_keeper() {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == ARGUMENT) {
        run();
        #[expect(clippy::disallowed_methods, reason = "the keeper has no other end")]
        std::process::exit(0);
    }
}

fn run() {
    ignore_termination();
    // It must not keep a file system busy.
    let _ = std::env::set_current_dir("/");
    let mut nothing = [0; 64];
    loop {
        match io::stdin().read(&mut nothing) {
            Ok(0) => break,
            Err(error) if error.kind() != io::ErrorKind::Interrupted => break,
            Ok(_) | Err(_) => {}
        }
    }
    if let Ok(remains) = table::read(io::stdout().as_fd()) {
        for pid in kill_remains(&remains, KILL_LIMIT) {
            let text =
                format!("stroem keeper: process {} of a worker that ended cannot be killed\n", describe(pid));
            let _ = io::Write::write_all(&mut io::stderr(), text.as_bytes());
        }
    }
}

/// The worker's end. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Keeper(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    table: Table,
    process: Mutex<Option<Process>>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    /// Its end is the signal.
    _pipe: ChildStdin,
}

impl Keeper {
    /// Starts the keeper: this program again, deaf to what ends ordinary processes.
    ///
    /// # Errors
    /// When this program cannot be started again.
    pub fn spawn() -> io::Result<Self> {
        let table = Table::new()?;
        let process = start(&table)?;
        Ok(Self(Arc::new(Shared { table, process: Mutex::new(Some(process)) })))
    }

    /// Its process.
    pub fn pid(&self) -> Option<u32> {
        self.0.process().as_ref().map(|process| process.child.id())
    }

    /// Ends the keeper in an orderly shutdown: everything registered is killed now.
    pub fn stop(&self) {
        let process = self.0.process().take();
        if let Some(process) = process {
            process.end();
        }
    }

    /// Replaces a keeper that died, which nothing but a KILL of it does.
    ///
    /// # Errors
    /// When there is no keeper and none can be started.
    pub(crate) fn check(&self) -> io::Result<()> {
        let mut process = self.0.process();
        let running = process.as_mut().ok_or_else(|| io::Error::other("the keeper was stopped"))?;
        if let Some(status) = running.child.try_wait()? {
            tracing::error!(%status, "the keeper died and is replaced");
            *running = start(&self.0.table)?;
        }
        Ok(())
    }

    /// From now on, what remains of an attempt is killed when this process ends. Dropping the entry ends that.
    pub(crate) fn register(&self, remains: &Remains) -> io::Result<Registration> {
        self.check()?;
        let slot = self.0.table.add(remains)?;
        Ok(Registration { keeper: self.clone(), slot })
    }
}

/// The entry of an attempt.
#[derive(Debug)]
pub(crate) struct Registration {
    keeper: Keeper,
    slot: Slot,
}

impl Registration {
    /// Says more about the attempt.
    pub(crate) fn update(&self, remains: &Remains) -> io::Result<()> {
        self.keeper.0.table.set(self.slot, remains)
    }

    /// Looks after the keeper, as long as there is something to keep.
    pub(crate) fn check(&self) -> io::Result<()> {
        self.keeper.check()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Err(error) = self.keeper.0.table.remove(self.slot) {
            tracing::error!(%error, "an entry of the keeper's table cannot be removed");
        }
    }
}

impl Shared {
    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let process = self.process().take();
        if let Some(process) = process {
            process.end();
        }
    }
}

impl Process {
    fn end(self) {
        let Self { mut child, _pipe } = self;
        drop(_pipe);
        // It ends by itself within its kill limit.
        let _ = child.wait();
    }
}

fn start(table: &Table) -> io::Result<Process> {
    let memory: OwnedFd = table.descriptor().try_clone_to_owned()?;
    let mut command = Command::new("/proc/self/exe");
    // Standard output is no output here: it is how the table is handed over.
    // A group of its own, out of the terminal's reach, but the worker's session: children in other sessions are orphans of
    // steps, and those are reaped by whoever finds them.
    command.process_group(0);
    command.arg(ARGUMENT).env_clear().stdin(Stdio::piped()).stdout(memory).stderr(Stdio::inherit());
    let mut child = command.spawn()?;
    let pipe = child.stdin.take().ok_or_else(|| io::Error::other("no pipe to the keeper"))?;
    Ok(Process { child, _pipe: pipe })
}
