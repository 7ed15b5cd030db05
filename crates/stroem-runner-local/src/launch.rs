//! The one place with unsafe code: starting a process as steps need it, in a session of its own, inside its control
//! groups, dying with the thread that started it, inheriting nothing.
//!
//! `fork` copies the page tables of the worker, which costs milliseconds once it uses some tens of megabytes. So the
//! child borrows the worker's memory until it executes the program (`CLONE_VM | CLONE_VFORK`): the calling thread stands
//! still that long, and the child makes system calls only. The standard library does the same where it may, but offers no
//! way to set the session and the parent-death signal then.

use std::{
    ffi::{CString, c_char, c_int, c_void},
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
};

use rustix::{
    fs::{Mode, OFlags},
    process::Pid,
};
use tokio::io::{Interest, unix::AsyncFd};

use crate::clone::{clone_into, is_unsupported};

/// Everything about a process to be.
#[derive(Debug)]
pub(crate) struct Launch {
    /// The program's file.
    pub(crate) program: CString,
    /// Its arguments, the zeroth included.
    pub(crate) arguments: Vec<CString>,
    /// Its environment, as `NAME=value`.
    pub(crate) environment: Vec<CString>,
    /// Its working directory.
    pub(crate) directory: CString,
    /// The directory of the control group that it is born in.
    pub(crate) birthplace: Option<OwnedFd>,
    /// Open `cgroup.procs` files of the groups that it joins.
    pub(crate) groups: Vec<OwnedFd>,
}

/// A process that runs the program. Whoever holds it has to reap it.
#[derive(Debug)]
pub(crate) struct Launched {
    pub(crate) pid: Pid,
    /// Becomes readable when the process ends.
    pub(crate) pidfd: OwnedFd,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
}

/// What the child did last when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Before there was a child.
    Clone,
    /// Session, signals, descriptors.
    Setup,
    /// Joining a control group.
    Group,
    /// Entering the working directory.
    Directory,
    /// Executing the program.
    Execute,
}

/// Why a process was not started.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub(crate) struct LaunchError {
    pub(crate) stage: Stage,
    pub(crate) error: io::Error,
}

/// The memory that children run on until they execute their program, and what all of them share. One thread uses one
/// launcher, so there is one such child at a time.
#[derive(Debug)]
pub(crate) struct Launcher {
    stack: Vec<u128>,
    null: OwnedFd,
    own: Pid,
    /// This kernel lets no process be born in a control group.
    joins: bool,
}

const STACK_BYTES: usize = 64 << 10;

/// What the child reads, all of it made before it exists, and where it leaves its error.
struct Shared {
    program: *const c_char,
    arguments: *const *const c_char,
    environment: *const *const c_char,
    directory: *const c_char,
    groups: *const RawFd,
    group_count: usize,
    streams: [RawFd; 3],
    parent: c_int,
    stage: Stage,
    errno: c_int,
}

impl Launcher {
    pub(crate) fn new() -> io::Result<Self> {
        let null = std::fs::File::options().read(true).write(true).open("/dev/null")?.into();
        let stack = vec![0; STACK_BYTES / size_of::<u128>()];
        Ok(Self { stack, null, own: rustix::process::getpid(), joins: false })
    }

    /// Starts a process. It gets SIGKILL when the calling thread ends.
    pub(crate) fn launch(&mut self, launch: &Launch) -> Result<Launched, LaunchError> {
        let before = |error: rustix::io::Errno| LaunchError { stage: Stage::Clone, error: error.into() };
        let cloexec = rustix::pipe::PipeFlags::CLOEXEC;
        let (stdout, stdout_child) = rustix::pipe::pipe_with(cloexec).map_err(before)?;
        let (stderr, stderr_child) = rustix::pipe::pipe_with(cloexec).map_err(before)?;
        let joined = self.joined_birthplace(launch)?;
        let groups: Vec<RawFd> = launch.groups.iter().chain(&joined).map(AsRawFd::as_raw_fd).collect();
        let arguments = pointers(&launch.arguments);
        let environment = pointers(&launch.environment);
        let mut shared = Shared {
            program: launch.program.as_ptr(),
            arguments: arguments.as_ptr(),
            environment: environment.as_ptr(),
            directory: launch.directory.as_ptr(),
            groups: groups.as_ptr(),
            group_count: groups.len(),
            streams: [self.null.as_raw_fd(), stdout_child.as_raw_fd(), stderr_child.as_raw_fd()],
            parent: self.own.as_raw_nonzero().get(),
            stage: Stage::Clone,
            errno: 0,
        };
        let birthplace = launch.birthplace.as_ref().filter(|_| joined.is_none());
        let cloned = match clone(&mut self.stack, &mut shared, birthplace.map(AsRawFd::as_raw_fd)) {
            Err(error) if birthplace.is_some() && is_unsupported(&error) => {
                tracing::debug!(%error, "processes cannot be born in a control group, so they join it");
                self.joins = true;
                return self.launch(launch);
            }
            cloned => cloned,
        };
        let (pid, pidfd) = cloned.map_err(|error| LaunchError { stage: Stage::Clone, error })?;
        if shared.errno != 0 {
            // The child has ended by itself, without having run anything.
            let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
            let error = io::Error::from_raw_os_error(shared.errno);
            return Err(LaunchError { stage: shared.stage, error });
        }
        Ok(Launched { pid, pidfd, stdout, stderr })
    }

    /// The member file of the birthplace, where a process has to join what it cannot be born in.
    fn joined_birthplace(&self, launch: &Launch) -> Result<Option<OwnedFd>, LaunchError> {
        let birthplace = launch.birthplace.as_ref().filter(|_| self.joins);
        let open =
            |dir| rustix::fs::openat(dir, "cgroup.procs", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty());
        birthplace
            .map(open)
            .transpose()
            .map_err(|error| LaunchError { stage: Stage::Group, error: error.into() })
    }
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}

#[expect(unsafe_code, reason = "the standard library has no vfork with set-up code of one's own")]
fn clone(stack: &mut [u128], shared: &mut Shared, group: Option<RawFd>) -> io::Result<(Pid, OwnedFd)> {
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    let mut pidfd: c_int = -1;
    let shared: *mut Shared = shared;
    // SAFETY: the signal sets are plain memory that `sigfillset` and `pthread_sigmask` fill. With every signal blocked no
    // handler of ours can run in the child. The child runs `child` on `stack`, which is 16-aligned, exclusively borrowed
    // and large enough for a few frames; CLONE_VFORK keeps this thread inside `clone` until the child has executed its
    // program or ended, so `stack`, `shared` and what it points to outlive the child's use of them, and nobody else
    // touches them. CLONE_PIDFD writes one descriptor, ours alone, to `pidfd`.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let pid = match group {
            Some(group) => clone_into(group, stack, child, shared.cast(), &mut pidfd),
            None => {
                let top = stack.as_mut_ptr().add(stack.len()).cast::<c_void>();
                match libc::clone(child, top, flags, shared.cast(), &raw mut pidfd) {
                    pid if pid > 0 => Ok(pid),
                    _ => Err(io::Error::last_os_error()),
                }
            }
        };
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
        match Pid::from_raw(pid?) {
            Some(pid) if pidfd >= 0 => Ok((pid, OwnedFd::from_raw_fd(pidfd))),
            // A kernel before 5.2 ignores the flag. It is older than what the runner asks for.
            _ => {
                Err(io::Error::other("this kernel has no process descriptors: Linux 5.4 or later is needed"))
            }
        }
    }
}

#[expect(unsafe_code, reason = "runs between clone and execve")]
extern "C" fn child(shared: *mut c_void) -> c_int {
    // SAFETY: `shared` is the `Shared` that `clone` above was given; its thread stands still, so this is the only access,
    // and every pointer in it is valid, its lists ending with null. What is called are thin system call wrappers: nothing
    // allocates, takes a lock or touches thread-local state beyond `errno`, which belongs to the thread that stands still.
    unsafe {
        let shared = &mut *shared.cast::<Shared>();
        shared.stage = Stage::Setup;
        if libc::setsid() < 0
            || libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0, 0, 0) < 0
            || libc::getppid() != shared.parent
        {
            return failed(shared);
        }
        for (target, stream) in (0..).zip(shared.streams) {
            if libc::dup2(stream, target) < 0 {
                return failed(shared);
            }
        }
        // Descriptors that the worker itself inherited. Ours are closed by `execve` anyway, so an old kernel's refusal is
        // no reason to fail.
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
        shared.stage = Stage::Group;
        for index in 0..shared.group_count {
            if libc::write(*shared.groups.add(index), c"0".as_ptr().cast(), 1) < 0 {
                return failed(shared);
            }
        }
        shared.stage = Stage::Directory;
        if libc::chdir(shared.directory) < 0 {
            return failed(shared);
        }
        shared.stage = Stage::Execute;
        // Handler, flags, restorer and mask of the kernel's structure, all zero: the default. The C library's wrapper
        // refuses its own signals, which somebody may have made us ignore all the same.
        let default = [0_u64; 4];
        for signal in 1..=libc::SIGRTMAX() {
            // KILL and STOP cannot be changed, which is fine.
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                std::ptr::null_mut::<u64>(),
                8_usize,
            );
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        libc::execve(shared.program, shared.arguments, shared.environment);
        failed(shared)
    }
}

#[expect(unsafe_code, reason = "reads errno in the child")]
fn failed(shared: &mut Shared) -> c_int {
    // SAFETY: the location of `errno` is always valid; the thread that it belongs to stands still.
    shared.errno = unsafe { *libc::__errno_location() };
    if shared.errno == 0 {
        // The worker died between the clone and the request to die with it.
        shared.errno = libc::ESRCH;
    }
    127
}

/// Tells when the process of this descriptor has ended: it becomes readable then.
#[expect(unsafe_code, reason = "tokio cannot see that a descriptor stays open")]
pub(crate) fn watch(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor is owned by the result and nobody else closes it; an `OwnedFd` always gives the same number.
    unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }.map_err(Into::into)
}

/// Makes this process deaf to what ends an ordinary one, for the keeper: it ends when its pipe does.
#[expect(unsafe_code, reason = "signal dispositions")]
pub(crate) fn ignore_termination() {
    for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGPIPE] {
        // SAFETY: ignoring a signal installs no handler.
        unsafe {
            libc::signal(signal, libc::SIG_IGN);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Read as _};

    use rustix::process::{WaitOptions, waitpid};
    use stroem_core::Resources;

    use super::*;
    use crate::cgroup::Host;

    /// Runs `cat /proc/self/cgroup` in a group of its own; gives the group's name and what was printed.
    fn groups_of_a_child(launcher: &mut Launcher) -> Option<(String, String)> {
        let marker = format!("launch-{}-{}", std::process::id(), launcher.joins);
        let (group, _) = Host::detect().create(&marker, &Resources::default());
        let birthplace = File::open(group.birthplace()?).expect("a group's directory").into();
        let launch = Launch {
            program: c"/bin/cat".to_owned(),
            arguments: vec![c"cat".to_owned(), c"/proc/self/cgroup".to_owned()],
            environment: Vec::new(),
            directory: c"/".to_owned(),
            birthplace: Some(birthplace),
            groups: Vec::new(),
        };
        let launched = launcher.launch(&launch).expect("launched");
        let mut text = String::new();
        File::from(launched.stdout).read_to_string(&mut text).expect("read");
        waitpid(Some(launched.pid), WaitOptions::empty()).expect("reaped");
        Some((format!("stroem-{marker}"), text))
    }

    #[test]
    fn a_process_is_in_its_group_whether_born_there_or_joined() {
        for joins in [false, true] {
            let mut launcher = Launcher { joins, ..Launcher::new().expect("a launcher") };
            let Some((group, text)) = groups_of_a_child(&mut launcher) else {
                stroem_runner::conformance::skip("born in a group: no control groups of version 2 here");
                return;
            };
            assert!(text.lines().any(|line| line.starts_with("0::") && line.ends_with(&group)), "{text}");
        }
    }
}
