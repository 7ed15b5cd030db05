//! The inputs to begin with: the case files of the language.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};

/// Every case file below the repository's root, in a fixed order.
///
/// # Errors
/// When there are none, or one cannot be read.
pub fn case_files(root: &Path) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for kind in ["ok", "error"] {
        let folder = root.join("crates/stroem-workflow/tests/cases").join(kind);
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            paths.push(entry.context("cannot list the cases")?.path());
        }
    }
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    paths.sort();
    ensure!(!paths.is_empty(), "there are no case files");
    let read = |path| fs::read_to_string(path).with_context(|| "cannot read a case".to_owned());
    paths.iter().map(read).collect()
}

/// The lines of case files that hold a template, without quotes and keys around it.
pub fn templates(cases: &[String]) -> Vec<String> {
    let mut found: Vec<String> = cases
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| {
            let start = line.find("{{").into_iter().chain(line.find("{%")).min()?;
            let end = line.rfind("}}").into_iter().chain(line.rfind("%}")).max()? + 2;
            (start < end).then(|| line[start..end].to_owned())
        })
        .collect();
    found.sort();
    found.dedup();
    found
}
