//! Reads a configuration file named by `--config` or `STROEM_CONFIG`.

use std::path::Path;

use stroem_config::{Problem, Source};

use crate::{compose::process, failure::Failure};

/// Reads and checks a file.
pub(crate) fn read<T>(
    path: &Path,
    load: impl FnOnce(Source<'_>) -> Result<T, Vec<Problem>>,
) -> Result<T, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::unreadable(path, &error))?;
    let (file, environment) = (path.to_string_lossy(), process::environment());
    load(Source { file: &file, text: &text, environment: &environment }).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::usage(lines.join("\n"))
    })
}
