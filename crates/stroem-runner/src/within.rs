//! Paths that a user wrote, inside a workspace on this host.

use std::path::{Component, Path, PathBuf};

use stroem_core::Outcome;

/// A key whose value is a path inside the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// `source`: a file.
    Source,
    /// `workdir`: a directory.
    Workdir,
}

impl Within {
    const fn key(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Workdir => "workdir",
        }
    }

    fn is_there(self, path: &Path) -> bool {
        match self {
            Self::Source => path.is_file(),
            Self::Workdir => path.is_dir(),
        }
    }

    /// The place of `path` below `workspace`. Blocking.
    ///
    /// # Errors
    /// One that leads out of the workspace, be it by a link, or that is not there, is the user's mistake.
    pub fn find(self, workspace: &Path, path: &str) -> Result<PathBuf, Outcome> {
        let key = self.key();
        let invalid = |message: String| Outcome::InvalidInput { message };
        let outside = || invalid(format!("{key}: `{path}` is not a path inside the workspace"));
        let relative = Path::new(path);
        if !relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err(outside());
        }
        let found = workspace.join(relative);
        if !self.is_there(&found) {
            let what = if self == Self::Source { "file" } else { "directory" };
            return Err(invalid(format!("{key}: the workspace has no {what} `{path}`")));
        }
        let real = |path: &Path| {
            path.canonicalize()
                .map_err(|error| Outcome::RunnerError { message: format!("{}: {error}", path.display()) })
        };
        if real(&found)?.starts_with(real(workspace)?) { Ok(found) } else { Err(outside()) }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn paths_that_lead_out_of_the_workspace_are_refused() {
        let root = tempfile::tempdir().expect("a directory");
        let workspace = root.path().join("workspace");
        fs::create_dir_all(workspace.join("sub")).expect("made");
        fs::create_dir(root.path().join("other")).expect("made");
        std::os::unix::fs::symlink("../other", workspace.join("out")).expect("linked");
        std::os::unix::fs::symlink("sub", workspace.join("in")).expect("linked");
        let check = |path: &str| match Within::Workdir.find(&workspace, path) {
            Ok(_) => String::new(),
            Err(outcome) => outcome.to_string(),
        };
        for fine in ["sub", ".", "./sub", "in"] {
            assert_eq!(check(fine), "", "{fine}");
        }
        for outside in ["..", "sub/../..", "/etc", "out"] {
            assert_eq!(check(outside), format!("workdir: `{outside}` is not a path inside the workspace"));
        }
        assert_eq!(check("missing"), "workdir: the workspace has no directory `missing`");
    }
}
