//! Reads the workflow files of an earlier revision back from its tarball: a job that pinned the revision still needs
//! them when the folder has moved on.

use std::{fs::File, io::Read, path::Path, sync::Arc};

use stroem_core::limits;

use crate::{SourceError, WorkflowFile};

/// The tarball that a source wrote, without its compression. Blocking.
///
/// # Errors
/// [`SourceError::TarballUnreadable`].
pub fn open_plain(tarball: &Path) -> Result<Box<dyn Read + Send>, SourceError> {
    let opened = File::open(tarball).and_then(zstd::Decoder::new);
    let decoder = opened.map_err(|source| SourceError::TarballUnreadable {
        path: tarball.to_owned(),
        source: Arc::new(source),
    })?;
    Ok(Box::new(decoder))
}

/// The workflow files in a tarball that a source wrote, sorted by path.
///
/// # Errors
/// [`SourceError::TarballUnreadable`].
pub fn workflow_files_of(tarball: &Path) -> Result<Vec<WorkflowFile>, SourceError> {
    let error = |source: std::io::Error| SourceError::TarballUnreadable {
        path: tarball.to_owned(),
        source: Arc::new(source),
    };
    let file = File::open(tarball).map_err(error)?;
    let mut archive = tar::Archive::new(zstd::Decoder::new(file).map_err(error)?);
    let mut files = Vec::new();
    for entry in archive.entries().map_err(error)? {
        let mut entry = entry.map_err(error)?;
        let path = entry.path().map_err(error)?.to_string_lossy().into_owned();
        let workflow = path.starts_with(".workflows/") && (path.ends_with(".yaml") || path.ends_with(".yml"));
        if !workflow
            || !entry.header().entry_type().is_file()
            || entry.size() > limits::WORKFLOW_FILE.as_bytes()
        {
            continue;
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(error)?;
        // What is not text was not loaded at the time either.
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(WorkflowFile { path, text: text.into() });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}
