//! Reads `/proc`: who is whose child, in which session, with which marker. Every answer may be out of date when it
//! arrives; a process that is gone reads as absent, never as an error.

use std::{fs, io, thread, time::Duration};

/// One process as `/proc/<pid>/stat` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
    /// It has ended and only waits to be reaped.
    pub(crate) is_zombie: bool,
    /// A thread of the kernel: it has neither memory nor environment.
    pub(crate) is_kernel: bool,
}

/// The flag of the kernel's threads in `/proc/<pid>/stat`.
const KERNEL_THREAD: u64 = 0x0020_0000;
/// How long an `exec` is waited for whose new environment is not there yet: the system may be busy.
const EXEC_LIMIT: Duration = Duration::from_millis(500);
const EXEC_PAUSE: Duration = Duration::from_micros(200);

/// The process with this number.
pub(crate) fn process(pid: i32) -> Option<Process> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// All processes.
pub(crate) fn processes() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(process).collect()
}

/// The children of this process's main thread: those it started itself, and every orphan that it was handed as
/// subreaper (the kernel hands them to the first thread that is alive, and that is the main one).
pub(crate) fn own_children() -> Vec<i32> {
    let own = std::process::id();
    let text = fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
    text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// The session of this process; 0 when its leader is outside of this process's namespace, as for a process that
/// `docker exec` or `unshare --pid` started.
pub(crate) fn own_session() -> io::Result<i32> {
    let read = fs::read_to_string("/proc/self/stat")?;
    let own = parse_stat(&read).ok_or_else(|| io::Error::other("/proc/self/stat is not as expected"))?;
    Ok(own.session)
}

/// The value of a variable in the environment that a process was started with.
pub(crate) fn variable(process: &Process, name: &str) -> Option<String> {
    let environment = environment(process)?;
    environment.split(|byte| *byte == 0).find_map(|entry| {
        let value = entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(String::from_utf8_lossy(value).into_owned())
    })
}

fn environment(process: &Process) -> Option<Vec<u8>> {
    if process.is_kernel || process.is_zombie {
        return None;
    }
    let path = format!("/proc/{}/environ", process.pid);
    let (mut waited, mut pause) = (Duration::ZERO, EXEC_PAUSE);
    loop {
        let read = fs::read(&path).ok()?;
        if !read.is_empty() || waited >= EXEC_LIMIT || !is_in_exec(process.pid) {
            return Some(read);
        }
        thread::sleep(pause);
        waited += pause;
        pause *= 2;
    }
}

/// Whether the process has left its old program and not got the environment of the new one. Only for a process whose
/// environment may be read: of others the kernel tells 0 as well.
fn is_in_exec(pid: i32) -> bool {
    /// Where an environment begins, counted from the state.
    const ENVIRONMENT_START: usize = 47;
    let Ok(text) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    text.rsplit_once(") ").is_some_and(|(_, fields)| fields.split(' ').nth(ENVIRONMENT_START) == Some("0"))
}

/// What a process is, for people: its number and the begin of its command line.
pub(crate) fn describe(pid: i32) -> String {
    const SHOWN: usize = 80;
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty()).map(String::from_utf8_lossy);
    let mut line = words.collect::<Vec<_>>().join(" ");
    if line.is_empty() {
        line = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned();
    }
    let shown: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
    let cut = if line.chars().nth(SHOWN).is_some() { "..." } else { "" };
    format!("{pid} ({shown}{cut})")
}

fn parse_stat(text: &str) -> Option<Process> {
    let pid = text.split(' ').next()?.parse().ok()?;
    // The name stands in parentheses and may hold spaces and parentheses itself.
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?;
    let mut number = || fields.next()?.parse().ok();
    let (parent, group, session) = (number()?, number()?, number()?);
    // The terminal and its process group stand between.
    let flags: u64 = fields.nth(2)?.parse().ok()?;
    let (is_zombie, is_kernel) = (matches!(state, "Z" | "X"), flags & KERNEL_THREAD != 0);
    Some(Process { pid, parent, group, session, is_zombie, is_kernel })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let read = parse_stat("812 (a) S 1 (b) Z 7 8 9 0 -1 4194304 95");
        let expected =
            Process { pid: 812, parent: 7, group: 8, session: 9, is_zombie: true, is_kernel: false };
        assert_eq!(read, Some(expected));
        let kernel = parse_stat("2 (kthreadd) S 0 0 0 0 -1 2129984 0");
        assert!(kernel.is_some_and(|process| process.is_kernel));
        assert_eq!(parse_stat("812 (x"), None);
    }

    #[test]
    fn this_process_is_found_and_described() {
        let own = i32::try_from(std::process::id()).expect("small");
        assert!(processes().iter().any(|process| process.pid == own && !process.is_zombie));
        assert!(describe(own).starts_with(&format!("{own} (/")), "{}", describe(own));
        assert_eq!(describe(0), "0 ()");
    }
}
