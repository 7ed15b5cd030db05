//! Starts processes from one permanent thread: the kernel's parent-death signal follows the thread that started a
//! process, so a thread of the pool would kill steps when it idles out.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread::JoinHandle,
};

use rustix::process::{Signal, WaitId, WaitIdOptions, waitid};
use tokio::sync::oneshot;

use crate::{
    cgroup::Group,
    children::Children,
    kill,
    launch::{Launch, LaunchError, Launched, Launcher, Stage},
};

struct Order {
    launch: Launch,
    birthplace: Option<PathBuf>,
    groups: Vec<PathBuf>,
    reply: oneshot::Sender<Result<Launched, LaunchError>>,
}

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Spawner {
    orders: Option<mpsc::Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Spawner {
    pub(crate) fn start(children: Arc<Children>) -> io::Result<Self> {
        let (orders, inbox) = mpsc::channel::<Order>();
        let mut launcher = Launcher::new()?;
        let thread = std::thread::Builder::new()
            .name("stroem-spawner".to_owned())
            .stack_size(128 << 10)
            .spawn(move || {
                while let Ok(order) = inbox.recv() {
                    serve(&mut launcher, &children, order);
                }
            })?;
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    /// Starts a process in these groups.
    pub(crate) async fn launch(&self, launch: Launch, group: &Group) -> Result<Launched, LaunchError> {
        let gone =
            || LaunchError { stage: Stage::Clone, error: io::Error::other("the spawner thread has ended") };
        let (reply, answer) = oneshot::channel();
        let orders = self.orders.as_ref().ok_or_else(gone)?;
        let birthplace = group.birthplace().map(Path::to_owned);
        let order = Order { launch, birthplace, groups: group.member_files(), reply };
        orders.send(order).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // It only starts processes, which does not panic.
            let _ = thread.join();
        }
    }
}

fn open(launch: &mut Launch, birthplace: Option<PathBuf>, groups: &[PathBuf]) -> io::Result<()> {
    launch.birthplace = birthplace.map(File::open).transpose()?.map(Into::into);
    let member_files = groups.iter().map(|path| File::options().write(true).open(path).map(Into::into));
    launch.groups = member_files.collect::<io::Result<_>>()?;
    Ok(())
}

fn serve(launcher: &mut Launcher, children: &Children, order: Order) {
    let Order { mut launch, birthplace, groups, reply } = order;
    let launched = open(&mut launch, birthplace, &groups)
        .map_err(|error| LaunchError { stage: Stage::Group, error })
        .and_then(|()| launcher.launch(&launch));
    if let Ok(launched) = &launched {
        children.add(launched.pid);
    }
    if let Err(Ok(unwanted)) = reply.send(launched) {
        // Who asked was dropped meanwhile.
        kill::signal(unwanted.pid.as_raw_nonzero().get(), Signal::KILL);
        let _ = waitid(WaitId::Pid(unwanted.pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        children.reap(unwanted.pid);
    }
}
