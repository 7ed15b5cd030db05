//! The Helm chart: what it makes of values, and a real installation. Charts are read by `dev/helm`, a `helm` of the library
//! that `cargo xtask ci` puts into `target/tools/helm`; without it each test says that it was skipped.

mod cluster;
mod composed;
mod documented;
mod images;
mod installed;
mod rendered;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// The values that the page on runners names.
const PODS: [&str; 4] =
    ["--set", "worker.kubernetes.enabled=true", "--set", "worker.kubernetes.namespace=stroem-jobs"];
const DIND: [&str; 2] = ["--set", "worker.dind.enabled=true"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs `dev/helm` in the repository; what it prints, or what it says of its failure.
fn try_helm(arguments: &[&str]) -> Result<String, String> {
    let ran = Command::new("python3").arg("dev/helm").args(arguments).current_dir(repository()).output();
    let ran = ran.map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if ran.status.success() { Ok(text(&ran.stdout)) } else { Err(text(&ran.stderr)) }
}

#[track_caller]
fn helm(arguments: &[&str]) -> String {
    try_helm(arguments).unwrap_or_else(|error| panic!("helm {}: {error}", arguments.join(" ")))
}

/// Whether the library is there; says so if not.
fn is_here() -> bool {
    match try_helm(&["version"]) {
        Ok(_) => true,
        Err(error) => {
            stroem_runner::conformance::skip(&error);
            false
        }
    }
}

/// The objects of a release.
struct Objects(Vec<Value>);

impl Objects {
    /// For the newest Kubernetes that the library knows.
    #[track_caller]
    fn of(values: &[&str]) -> Self {
        let mut arguments = vec!["template", "stroem", "helm/stroem"];
        arguments.extend(values);
        Self::read(&helm(&arguments))
    }

    #[track_caller]
    fn read(text: &str) -> Self {
        Self(serde_json::from_str(text).expect("a list of objects"))
    }

    fn all(&self, kind: &str) -> Vec<&Value> {
        self.0.iter().filter(|object| object["kind"] == kind).collect()
    }

    #[track_caller]
    fn one(&self, kind: &str, name: &str) -> &Value {
        let of_kind = self.all(kind);
        let found = of_kind.iter().find(|object| object["metadata"]["name"] == name);
        found.unwrap_or_else(|| panic!("no {kind} {name} among {of_kind:?}"))
    }

    /// The spec of a Deployment's pods.
    #[track_caller]
    fn pod(&self, name: &str) -> &Value {
        &self.one("Deployment", name)["spec"]["template"]["spec"]
    }

    /// A text of a Secret of the chart.
    #[track_caller]
    fn written(&self, secret: &str, file: &str) -> &str {
        self.one("Secret", secret)["stringData"][file].as_str().expect("a text")
    }
}
