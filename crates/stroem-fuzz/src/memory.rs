//! The peak of this process's memory, from the kernel. Where it does not say, nothing is measured.

use std::fs;

/// Forgets the peak so far.
pub(crate) fn reset_peak() {
    // Not every kernel allows it; the peak is then that of the whole run.
    let _not_allowed = fs::write("/proc/self/clear_refs", "5");
}

/// The most memory held since the last reset, in bytes; 0 where the kernel does not say.
pub(crate) fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}
