//! Reads the workflow files of a folder for checks without a server.

use std::path::{Path, PathBuf};

use stroem_workflow::SourceFile;

use crate::failure::Failure;

/// `.workflows/**/*.{yaml,yml}` of a folder, sorted.
pub(crate) fn workflow_files(folder: &Path) -> Result<Vec<SourceFile>, Failure> {
    let root = folder.join(".workflows");
    if !root.is_dir() {
        let text = format!(
            "{} has no folder .workflows: put workflow files there, or name another folder",
            folder.display()
        );
        return Err(Failure::usage(text));
    }
    let mut paths = Vec::new();
    walk(&root, &mut paths)?;
    paths.sort();
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).map_err(|error| Failure::unreadable(path, &error))?;
        let relative = path.strip_prefix(folder).unwrap_or(path);
        Ok(SourceFile { path: relative.to_string_lossy().into_owned(), text })
    };
    paths.iter().map(read).collect()
}

fn walk(dir: &Path, paths: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let unreadable = |error: std::io::Error| Failure::unreadable(dir, &error);
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        if path.is_dir() && !path.is_symlink() {
            walk(&path, paths)?;
        } else if yaml && path.is_file() {
            paths.push(path);
        }
    }
    Ok(())
}
