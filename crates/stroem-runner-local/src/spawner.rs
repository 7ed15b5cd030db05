//! Starts processes from one permanent thread: the kernel's parent-death signal follows the thread that forked, so a
//! thread of the pool would kill steps when it idles out.

use std::{fs::File, io, os::fd::AsFd, path::PathBuf};

use tokio::{
    process::{Child, Command},
    runtime::Handle,
    sync::oneshot,
};

type Order = (Command, Vec<PathBuf>, Handle, oneshot::Sender<io::Result<Child>>);

/// The thread's address. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Spawner {
    orders: std::sync::mpsc::Sender<Order>,
}

impl Spawner {
    pub(crate) fn start() -> io::Result<Self> {
        let (orders, inbox) = std::sync::mpsc::channel::<Order>();
        // It lives as long as the runner, and ends when its channel closes.
        std::thread::Builder::new().name("stroem-spawner".to_owned()).stack_size(256 << 10).spawn(
            move || {
                while let Ok((command, groups, runtime, reply)) = inbox.recv() {
                    let _context = runtime.enter();
                    // Who asked may be gone; the child is then killed when it is dropped.
                    let _ = reply.send(spawn(command, &groups));
                }
            },
        )?;
        Ok(Self { orders })
    }

    /// Starts a process in a session of its own and in these control groups; it dies with this process.
    pub(crate) async fn spawn(&self, command: Command, groups: Vec<PathBuf>) -> io::Result<Child> {
        let (reply, answer) = oneshot::channel();
        let gone = || io::Error::other("the spawner thread has ended");
        self.orders.send((command, groups, Handle::current(), reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

fn spawn(mut command: Command, groups: &[PathBuf]) -> io::Result<Child> {
    let groups: Vec<File> =
        groups.iter().map(|path| File::options().write(true).open(path)).collect::<io::Result<_>>()?;
    command.kill_on_drop(true);
    #[expect(unsafe_code, reason = "the only way to run code between fork and exec")]
    // SAFETY: the closure runs in the child after fork. It makes system calls only (setsid, prctl, write), allocates
    // nothing and takes no lock; errors are raw numbers.
    unsafe {
        command.pre_exec(move || {
            rustix::process::setsid()?;
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
            for group in &groups {
                rustix::io::write(group.as_fd(), b"0")?;
            }
            Ok(())
        });
    }
    command.spawn()
}
