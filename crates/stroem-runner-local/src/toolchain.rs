//! Which program runs a script: the preferred one of its language that is on the PATH.

use std::{
    collections::HashMap,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use stroem_core::Language;

/// Finds programs, each once.
#[derive(Debug)]
pub(crate) struct Toolchains {
    path: String,
    found: Mutex<HashMap<Language, Option<Vec<String>>>>,
}

impl Toolchains {
    pub(crate) fn new(path: String) -> Self {
        Self { path, found: Mutex::default() }
    }

    /// The command that runs a script of this language: program and first arguments.
    pub(crate) fn of(&self, language: Language) -> Result<Vec<String>, String> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let command = found.entry(language).or_insert_with(|| {
            language
                .toolchains()
                .iter()
                .find_map(|name| self.find(name).map(|program| command(name, &program)))
        });
        command.clone().ok_or_else(|| {
            let names = language.toolchains().join(", ");
            format!(
                "no program for {} scripts on this host: looked for {names} in {}",
                language.as_str(),
                self.path
            )
        })
    }

    fn find(&self, name: &str) -> Option<PathBuf> {
        self.path.split(':').filter(|dir| !dir.is_empty()).map(|dir| Path::new(dir).join(name)).find(|file| {
            file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
        })
    }
}

fn command(name: &str, program: &Path) -> Vec<String> {
    let mut command = vec![program.to_string_lossy().into_owned()];
    let arguments: &[&str] = match name {
        // A script is no project: uv neither looks for one nor makes one.
        "uv" => &["run", "--no-project"],
        "bun" | "deno" | "go" => &["run"],
        _ => &[],
    };
    command.extend(arguments.iter().map(ToString::to_string));
    command
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
        let missing = Toolchains::new(path.clone()).of(Language::Python).expect_err("nothing there");
        assert!(missing.contains("looked for uv, python3, python in"), "{missing}");
        let python = program("python");
        assert_eq!(Toolchains::new(path.clone()).of(Language::Python), Ok(vec![python]));
        let uv = program("uv");
        assert_eq!(
            Toolchains::new(path).of(Language::Python),
            Ok(vec![uv, "run".to_owned(), "--no-project".to_owned()])
        );
    }
}
