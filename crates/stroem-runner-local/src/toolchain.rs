//! Which program runs a script: the preferred one of its language that is on the `PATH`.

use std::{
    collections::HashMap,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use stroem_core::Language;

/// Finds programs. What is found on the runner's own `PATH` is remembered; what is missing is looked for again, since
/// somebody may install it.
#[derive(Debug)]
pub(crate) struct Toolchains {
    path: String,
    found: Mutex<HashMap<Language, Vec<String>>>,
}

impl Toolchains {
    pub(crate) fn new(path: String) -> Self {
        Self { path, found: Mutex::default() }
    }

    /// The command that runs a script of this language for a step with this `PATH`: program and first arguments.
    ///
    /// # Errors
    /// A sentence that names what was looked for and where.
    pub(crate) fn of(&self, language: Language, path: &str) -> Result<Vec<String>, String> {
        let is_own = path == self.path;
        if is_own
            && let Some(command) = self.found.lock().unwrap_or_else(PoisonError::into_inner).get(&language)
        {
            return Ok(command.clone());
        }
        let names = language.toolchains();
        let found = names.iter().find_map(|name| find(name, path).map(|program| command(name, &program)));
        let Some(command) = found else {
            let (language, names) = (language.as_str(), names.join(", "));
            return Err(format!(
                "no program for {language} scripts on this worker: looked for {names} in {path}"
            ));
        };
        if is_own {
            self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(language, command.clone());
        }
        Ok(command)
    }

    /// Forgets what was found: a program is gone from where it was.
    pub(crate) fn forget(&self) {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// The file of a program on a `PATH`.
pub(crate) fn find(name: &str, path: &str) -> Option<PathBuf> {
    let dirs = path.split(':').filter(|dir| dir.starts_with('/'));
    dirs.map(|dir| Path::new(dir).join(name)).find(|file| is_program(file))
}

pub(crate) fn is_program(file: &Path) -> bool {
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn command(name: &str, program: &Path) -> Vec<String> {
    let first = program.to_string_lossy().into_owned();
    let arguments = stroem_runner::toolchain::arguments(name);
    std::iter::once(first).chain(arguments.iter().map(ToString::to_string)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_program_that_exists_is_taken() {
        let dir = tempfile::tempdir().expect("a directory");
        let program = |name: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, "").expect("written");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("executable");
            path.to_string_lossy().into_owned()
        };
        let path = dir.path().to_string_lossy().into_owned();
        let toolchains = Toolchains::new(path.clone());
        let missing = toolchains.of(Language::Python, &path).expect_err("nothing there");
        assert!(missing.contains("looked for uv, python3, python in /"), "{missing}");
        let python = program("python");
        assert_eq!(toolchains.of(Language::Python, &path), Ok(vec![python.clone()]));
        let uv = program("uv");
        assert_eq!(toolchains.of(Language::Python, &path), Ok(vec![python]), "remembered");
        toolchains.forget();
        let with_uv = [uv.as_str(), "run", "--no-project", "--quiet"].map(str::to_owned).to_vec();
        assert_eq!(toolchains.of(Language::Python, &path), Ok(with_uv));
    }

    #[test]
    fn a_step_with_a_path_of_its_own_is_looked_after_there() {
        let toolchains = Toolchains::new("/usr/bin:/bin".to_owned());
        assert!(toolchains.of(Language::Shell, "/usr/bin:/bin").is_ok());
        assert!(toolchains.of(Language::Shell, "/nonexistent").is_err());
    }
}
