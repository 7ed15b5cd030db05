//! `clone3`, which the C library does not wrap: the one call that starts a process inside a control group.
//!
//! Moving a process into a group afterwards stops every fork of the host until a grace period of the kernel is over,
//! 17 ms after a quiet moment; a process that is born there costs nothing extra.

use std::{
    ffi::{c_int, c_void},
    io,
    os::fd::RawFd,
};

/// The flags of `clone3` are 64 bits wide, and this one has no name of its own type in the C library.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Starts a process on `stack` that runs `child` inside the control group of this directory, with the caller's memory,
/// while the calling thread stands still (`CLONE_VM | CLONE_VFORK`). Gives its number and writes a descriptor of it to
/// `pidfd`.
///
/// # Errors
/// What the kernel says; [`is_unsupported`] tells the refusals of kernels and sandboxes that do not know the call or the
/// flag.
///
/// # Safety
/// As for `libc::clone` with these flags: `child` may do system calls only, `stack` is 16-aligned and nobody else's.
#[expect(
    unsafe_code,
    reason = "a system call that gives the child a stack cannot be made through a function"
)]
pub(crate) unsafe fn clone_into(
    group: RawFd,
    stack: &mut [u128],
    child: extern "C" fn(*mut c_void) -> c_int,
    argument: *mut c_void,
    pidfd: &mut c_int,
) -> io::Result<c_int> {
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD;
    let number = |value: c_int| u64::try_from(value).unwrap_or(0);
    let pidfd: *mut c_int = pidfd;
    // Zero means absent in the fields that are not set.
    // SAFETY: a structure of plain integers.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = number(flags) | CLONE_INTO_CGROUP;
    arguments.pidfd = pidfd.expose_provenance() as u64;
    arguments.exit_signal = number(libc::SIGCHLD);
    arguments.stack = stack.as_mut_ptr().expose_provenance() as u64;
    arguments.stack_size = size_of_val(stack) as u64;
    arguments.cgroup = number(group);
    // SAFETY: the caller's promise; the arguments live on this thread's stack, which stands still until the child is done.
    let result = unsafe { raw(&raw const arguments, child, argument) };
    c_int::try_from(result)
        .ok()
        .filter(|pid| *pid > 0)
        .ok_or_else(|| io::Error::from_raw_os_error(c_int::try_from(-result).unwrap_or(libc::ENOSYS)))
}

/// Whether the error means that this kernel, file system or sandbox has no such call, not that this one went wrong.
pub(crate) fn is_unsupported(error: &io::Error) -> bool {
    const REFUSALS: [c_int; 6] =
        [libc::ENOSYS, libc::EINVAL, libc::E2BIG, libc::EPERM, libc::EACCES, libc::EOPNOTSUPP];
    error.raw_os_error().is_some_and(|code| REFUSALS.contains(&code))
}

/// The system call; in the child it calls `child` and ends with what that returns.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "see `clone_into`")]
unsafe fn raw(
    arguments: *const libc::clone_args,
    child: extern "C" fn(*mut c_void) -> c_int,
    argument: *mut c_void,
) -> i64 {
    let result: i64;
    // SAFETY: registers survive the call in the child, which gets its own stack pointer and never returns from here.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "mov edi, eax",
            "mov eax, {exit}",
            "syscall",
            "2:",
            exit = const libc::SYS_exit,
            inlateout("rax") libc::SYS_clone3 => result,
            in("rdi") arguments,
            in("rsi") size_of::<libc::clone_args>(),
            in("r12") argument,
            in("r13") child,
            out("rcx") _,
            out("r11") _,
        );
    }
    result
}

/// The system call; in the child it calls `child` and ends with what that returns.
#[cfg(target_arch = "aarch64")]
#[expect(unsafe_code, reason = "see `clone_into`")]
unsafe fn raw(
    arguments: *const libc::clone_args,
    child: extern "C" fn(*mut c_void) -> c_int,
    argument: *mut c_void,
) -> i64 {
    let result: i64;
    // SAFETY: registers survive the call in the child, which gets its own stack pointer and never returns from here.
    unsafe {
        std::arch::asm!(
            "svc #0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, x9",
            "blr x10",
            "mov x8, #{exit}",
            "svc #0",
            "2:",
            exit = const libc::SYS_exit,
            inlateout("x0") arguments => result,
            in("x1") size_of::<libc::clone_args>(),
            in("x8") libc::SYS_clone3,
            in("x9") argument,
            in("x10") child,
        );
    }
    result
}

/// Elsewhere nobody wrote the call: processes join their groups themselves.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[expect(unsafe_code, reason = "the same signature everywhere")]
unsafe fn raw(
    _arguments: *const libc::clone_args,
    _child: extern "C" fn(*mut c_void) -> c_int,
    _argument: *mut c_void,
) -> i64 {
    -i64::from(libc::ENOSYS)
}
