//! The cluster that `KUBECONFIG` names, by `kubectl`.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::Value;

pub(super) struct Cluster {
    version: (u32, u32),
}

impl Cluster {
    /// None, and it says so, where there is none.
    pub(super) fn find() -> Option<Self> {
        #[expect(clippy::disallowed_methods, reason = "tests have no configuration that could say it")]
        let file = std::env::var_os("KUBECONFIG").map(PathBuf::from).filter(|path| path.is_file());
        if file.is_none() {
            stroem_runner::conformance::skip("KUBECONFIG names no file: `dev/k8s up` makes a cluster");
            return None;
        }
        let said = run("kubectl", &["version", "--output", "json"], "");
        let said: Value = serde_json::from_str(&said.expect("the cluster answers")).expect("JSON");
        let number = |key: &str| -> u32 {
            let text = said["serverVersion"][key].as_str().expect("a version");
            text.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("a number")
        };
        Some(Self { version: (number("major"), number("minor")) })
    }

    pub(super) fn has_sidecars(&self) -> bool {
        self.version >= (1, 29)
    }

    #[track_caller]
    pub(super) fn kubectl(&self, arguments: &[&str]) -> String {
        self.try_kubectl(arguments).unwrap_or_else(|error| panic!("kubectl {}: {error}", arguments.join(" ")))
    }

    pub(super) fn try_kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        run("kubectl", arguments, "")
    }

    #[track_caller]
    pub(super) fn json(&self, arguments: &[&str]) -> Value {
        let text = self.kubectl(&[arguments, &["--output", "json"]].concat());
        serde_json::from_str(&text).expect("JSON")
    }

    /// Makes these objects.
    #[track_caller]
    pub(super) fn apply(&self, objects: &Value) {
        run("kubectl", &["apply", "--filename", "-"], &objects.to_string()).expect("applied");
    }
}

/// Runs a program with this input; what it prints, or what it says of its failure.
pub(super) fn run(program: &str, arguments: &[&str], input: &str) -> Result<String, String> {
    use std::io::Write as _;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    let mut stdin = child.stdin.take().expect("it is a pipe");
    stdin.write_all(input.as_bytes()).map_err(|error| error.to_string())?;
    drop(stdin);
    let ran = child.wait_with_output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if ran.status.success() { Ok(text(&ran.stdout)) } else { Err(text(&ran.stderr)) }
}
