//! Reads `/proc`: who is whose child, in which session, with which marker. Every answer may be out of date when it
//! arrives; a process that is gone reads as absent, never as an error.

use std::{fs, io};

/// One process as `/proc/<pid>/stat` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
    /// It has ended and only waits to be reaped.
    pub(crate) is_zombie: bool,
}

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
pub(crate) fn variable(pid: i32, name: &str) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    environment.split(|byte| *byte == 0).find_map(|entry| {
        let value = entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(String::from_utf8_lossy(value).into_owned())
    })
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
    Some(Process { pid, parent, group, session, is_zombie: matches!(state, "Z" | "X") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let read = parse_stat("812 (a) S 1 (b) Z 7 8 9 0 -1 4194304 95");
        assert_eq!(read, Some(Process { pid: 812, parent: 7, group: 8, session: 9, is_zombie: true }));
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
