//! The repository as the other modules see it: its root, its files and what `cargo metadata` says of it.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// A checkout of the repository.
pub(crate) struct Repo {
    root: PathBuf,
    target: PathBuf,
    members: Vec<Package>,
}

/// A member of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Its folder, relative to the root, with `/`.
    pub(crate) folder: String,
    pub(crate) features: BTreeSet<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// A line under one of the dependency tables of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: DependencyKind,
}

/// The table in which a dependency stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DependencyKind {
    Normal,
    Build,
    Development,
}

impl Repo {
    /// The repository whose `cargo xtask` runs.
    pub(crate) fn open() -> Result<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR").context("run this as `cargo xtask`")?;
        let root = Path::new(&manifest).parent().context("xtask is a folder of the repository")?.to_owned();
        let output = Command::new(cargo())
            .args(["metadata", "--format-version", "1", "--no-deps"])
            .current_dir(&root)
            .output()
            .context("cargo metadata does not start")?;
        let problem = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "cargo metadata failed: {problem}");
        let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")?;
        let target = metadata["target_directory"].as_str().context("no target_directory")?.into();
        let members = packages(&metadata).context("cargo metadata has an unknown shape")?;
        Ok(Self { root, target, members })
    }

    /// A folder that stands for a repository.
    #[cfg(test)]
    pub(crate) fn of_folder(root: &Path) -> Self {
        Self { root: root.to_owned(), target: root.join("target"), members: vec![] }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn members(&self) -> &[Package] {
        &self.members
    }

    /// Where cargo builds.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Where programs that the rungs need are installed when the system has none: `target/tools`.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// A program built with the `dev` profile.
    pub(crate) fn built(&self, program: &str) -> PathBuf {
        self.target.join("debug").join(program)
    }

    /// Every file that is or may become part of a commit, relative to the root, sorted.
    pub(crate) fn files(&self) -> Result<Vec<String>> {
        let output = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(&self.root)
            .output()
            .context("git does not start")?;
        let problem = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "git ls-files failed: {problem}");
        let listing = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
        let mut files: Vec<String> =
            listing.split('\0').filter(|f| !f.is_empty()).map(str::to_owned).collect();
        files.retain(|file| self.root.join(file).is_file());
        files.sort();
        files.dedup();
        Ok(files)
    }

    /// The text of a file; none if it is not text.
    pub(crate) fn text(&self, file: &str) -> Result<Option<String>> {
        let bytes = fs::read(self.root.join(file)).with_context(|| format!("{file} cannot be read"))?;
        Ok(String::from_utf8(bytes).ok())
    }
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> String {
    env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// Whether this is a CI run, where a skip is a failure.
pub(crate) fn is_ci() -> bool {
    env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}

fn packages(metadata: &Value) -> Option<Vec<Package>> {
    let root = metadata["workspace_root"].as_str()?;
    metadata["packages"].as_array()?.iter().map(|package| self::package(root, package)).collect()
}

fn package(root: &str, package: &Value) -> Option<Package> {
    let folder = Path::new(package["manifest_path"].as_str()?).parent()?.strip_prefix(root).ok()?.to_str()?;
    let dependency = |value: &Value| {
        let kind = match value["kind"].as_str() {
            None => DependencyKind::Normal,
            Some("build") => DependencyKind::Build,
            Some(_) => DependencyKind::Development,
        };
        Some(Dependency { name: value["name"].as_str()?.to_owned(), kind })
    };
    Some(Package {
        name: package["name"].as_str()?.to_owned(),
        folder: folder.to_owned(),
        features: package["features"].as_object()?.keys().cloned().collect(),
        dependencies: package["dependencies"].as_array()?.iter().map(dependency).collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_read_from_cargos_metadata() {
        let metadata = serde_json::json!({
            "workspace_root": "/somewhere",
            "packages": [{
                "name": "stroem-worker",
                "manifest_path": "/somewhere/crates/stroem-worker/Cargo.toml",
                "features": {"docker": [], "default": ["docker"]},
                "dependencies": [
                    {"name": "bytes", "kind": null},
                    {"name": "cc", "kind": "build"},
                    {"name": "insta", "kind": "dev"},
                ],
            }],
        });
        let dependency = |name: &str, kind| Dependency { name: name.to_owned(), kind };
        assert_eq!(
            packages(&metadata),
            Some(vec![Package {
                name: "stroem-worker".to_owned(),
                folder: "crates/stroem-worker".to_owned(),
                features: ["default".to_owned(), "docker".to_owned()].into(),
                dependencies: vec![
                    dependency("bytes", DependencyKind::Normal),
                    dependency("cc", DependencyKind::Build),
                    dependency("insta", DependencyKind::Development),
                ],
            }])
        );
    }
}
