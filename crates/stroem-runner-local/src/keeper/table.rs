//! The table that worker and keeper share: slots of fixed size in anonymous memory. The worker writes a slot with one
//! system call inside one page, so that a worker killed in between leaves the old or the new entry, never a mix.

use std::{
    ffi::OsStr,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use rustix::fs::{MemfdFlags, memfd_create};

use crate::kill::Remains;

/// Divides a page.
const SLOT_BYTES: usize = 2_048;

/// The place of an entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot(u64);

/// The worker's view of the table.
#[derive(Debug)]
pub(super) struct Table {
    memory: OwnedFd,
    slots: Mutex<Slots>,
}

#[derive(Debug, Default)]
struct Slots {
    used: u64,
    free: Vec<u64>,
}

impl Table {
    pub(super) fn new() -> io::Result<Self> {
        let memory = memfd_create("stroem-keeper", MemfdFlags::CLOEXEC)?;
        Ok(Self { memory, slots: Mutex::default() })
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }

    pub(super) fn add(&self, remains: &Remains) -> io::Result<Slot> {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            let fresh = slots.used;
            slots.free.pop().unwrap_or_else(|| {
                slots.used += 1;
                fresh
            })
        };
        self.set(Slot(slot), remains)?;
        Ok(Slot(slot))
    }

    pub(super) fn set(&self, slot: Slot, remains: &Remains) -> io::Result<()> {
        self.write(slot, &encode(remains)?)
    }

    pub(super) fn remove(&self, slot: Slot) -> io::Result<()> {
        self.write(slot, &[0])?;
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).free.push(slot.0);
        Ok(())
    }

    fn write(&self, Slot(slot): Slot, bytes: &[u8]) -> io::Result<()> {
        let written = rustix::io::pwrite(&self.memory, bytes, slot * SLOT_BYTES as u64)?;
        if written == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }
}

/// Reads all entries; the keeper's side.
pub(super) fn read(memory: BorrowedFd<'_>) -> io::Result<Vec<Remains>> {
    let mut found = Vec::new();
    let mut slot = [0_u8; SLOT_BYTES];
    for index in 0_u64.. {
        let bytes = rustix::io::pread(memory, &mut slot, index * SLOT_BYTES as u64)?;
        if bytes == 0 {
            break;
        }
        found.extend(decode(&slot[..bytes]));
    }
    Ok(found)
}

/// Marker, main process or 0, groups: one a line, then a zero.
fn encode(remains: &Remains) -> io::Result<Vec<u8>> {
    let mut bytes = format!("{}\n{}\n", remains.marker, remains.main.unwrap_or(0)).into_bytes();
    for group in &remains.groups {
        bytes.extend_from_slice(group.as_os_str().as_bytes());
        bytes.push(b'\n');
    }
    bytes.push(0);
    if bytes.len() > SLOT_BYTES {
        return Err(io::Error::other("the control groups' paths are too long for the keeper's table"));
    }
    Ok(bytes)
}

fn decode(slot: &[u8]) -> Option<Remains> {
    let text = slot.split(|byte| *byte == 0).next()?;
    let mut lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let marker = String::from_utf8(lines.next()?.to_vec()).ok()?;
    let main: i32 = std::str::from_utf8(lines.next()?).ok()?.parse().ok()?;
    let groups = lines.map(|line| PathBuf::from(OsStr::from_bytes(line))).collect();
    Some(Remains { marker, main: Some(main).filter(|main| *main > 0), groups })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remains(marker: &str, main: Option<i32>, groups: &[&str]) -> Remains {
        Remains { marker: marker.to_owned(), main, groups: groups.iter().map(PathBuf::from).collect() }
    }

    #[test]
    fn what_is_written_is_read_and_what_is_removed_is_not() {
        let table = Table::new().expect("memory");
        let first = remains("a", None, &["/sys/fs/cgroup/one two", "/x"]);
        let second = remains("b", Some(71), &[]);
        let slot = table.add(&first).expect("added");
        let other = table.add(&second).expect("added");
        assert_eq!(read(table.descriptor()).expect("read"), [first, second.clone()]);
        table.remove(slot).expect("removed");
        assert_eq!(read(table.descriptor()).expect("read"), [second]);
        let third = remains("c", Some(9), &["/y"]);
        table.add(&third).expect("added in the free slot");
        let updated = remains("b", Some(72), &[]);
        table.set(other, &updated).expect("updated");
        assert_eq!(read(table.descriptor()).expect("read"), [third, updated]);
    }

    #[test]
    fn an_entry_that_does_not_fit_is_refused() {
        let path = format!("/{}", "x".repeat(SLOT_BYTES));
        assert!(Table::new().expect("memory").add(&remains("a", None, &[&path])).is_err());
    }
}
