//! Copies a workspace. Never by hard links: a step may write in place. `std::fs::copy` uses `copy_file_range`, which
//! shares blocks on file systems that can.

use std::{fs, io, path::Path};

/// Copies the content of `from` into the new directory `to`; links stay links, executable bits stay.
pub(crate) fn tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            tree(&source, &target)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&source)?, &target)?;
        } else {
            fs::copy(&source, &target)?;
        }
    }
    Ok(())
}
