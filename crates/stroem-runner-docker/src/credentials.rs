//! Credentials of registries, from Docker's `config.json` and its helper programs. Read anew for each pull: tokens there
//! are renewed by others.

use std::{collections::HashMap, path::Path, process::Stdio, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bollard::auth::DockerCredentials;
use serde::Deserialize;
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

use crate::reference::HUB;

/// How long a helper may take.
const HELPER: Duration = Duration::from_secs(30);

#[derive(Debug, Default, Deserialize)]
struct Config {
    #[serde(default)]
    auths: HashMap<String, Auth>,
    #[serde(default, rename = "credHelpers")]
    helpers: HashMap<String, String>,
    #[serde(default, rename = "credsStore")]
    store: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Auth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Username")]
    username: String,
    #[serde(rename = "Secret")]
    secret: String,
}

/// What to show a registry; nothing when the file has nothing for it.
///
/// # Errors
/// In words, when the file or a helper cannot be used.
pub(crate) async fn of(registry: &str, file: &Path) -> Result<Option<DockerCredentials>, String> {
    let cannot = |reason: &dyn std::fmt::Display| format!("{}: {reason}", file.display());
    let text = match tokio::fs::read(file).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(|error| cannot(&error))?,
    };
    let config: Config = serde_json::from_slice(&text).map_err(|error| cannot(&error))?;
    if let Some(helper) = config.helpers.get(registry).or(config.store.as_ref())
        && let Some(answer) = ask(helper, registry).await?
    {
        return Ok(Some(answer));
    }
    let found = config.auths.into_iter().find(|(name, _)| same(name, registry));
    found
        .map(|(_, auth)| written(auth, registry))
        .transpose()
        .map(Option::flatten)
        .map_err(|error| cannot(&error))
}

/// Keys of `auths` are written with and without scheme and path.
fn same(name: &str, registry: &str) -> bool {
    let host = |text: &str| {
        let bare = text.split_once("://").map_or(text, |(_, rest)| rest);
        bare.split('/').next().unwrap_or_default().to_owned()
    };
    name == registry
        || (registry != HUB && host(name) == registry)
        || (registry == HUB && host(name) == "docker.io")
}

fn written(auth: Auth, registry: &str) -> Result<Option<DockerCredentials>, String> {
    let (mut username, mut password) = (auth.username, auth.password);
    if let Some(encoded) = auth.auth.filter(|text| !text.is_empty()) {
        let wrong = || format!("the `auth` of {registry} is not `name:password` in base64");
        let text = STANDARD.decode(encoded.trim()).map_err(|_| wrong())?;
        let text = String::from_utf8(text).map_err(|_| wrong())?;
        let (name, secret) = text.split_once(':').ok_or_else(wrong)?;
        (username, password) = (Some(name.to_owned()), Some(secret.trim_end_matches('\0').to_owned()));
    }
    let identitytoken = auth.identitytoken.filter(|text| !text.is_empty());
    if username.is_none() && identitytoken.is_none() {
        return Ok(None);
    }
    Ok(Some(DockerCredentials {
        username,
        password,
        identitytoken,
        serveraddress: Some(registry.to_owned()),
        ..DockerCredentials::default()
    }))
}

async fn ask(helper: &str, registry: &str) -> Result<Option<DockerCredentials>, String> {
    let program = format!("docker-credential-{helper}");
    let cannot = |reason: &dyn std::fmt::Display| format!("{program}: {reason}");
    let asked = async {
        let mut child = Command::new(&program)
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(registry.as_bytes()).await?;
        }
        child.wait_with_output().await
    };
    let output = match timeout(HELPER, asked).await {
        Ok(output) => output.map_err(|error| cannot(&error))?,
        Err(_) => return Err(cannot(&format!("no answer within {} s", HELPER.as_secs()))),
    };
    if !output.status.success() {
        // A helper without an entry for this registry ends so.
        return Ok(None);
    }
    let answer: Answer = serde_json::from_slice(&output.stdout).map_err(|error| cannot(&error))?;
    let mut credentials =
        DockerCredentials { serveraddress: Some(registry.to_owned()), ..DockerCredentials::default() };
    if answer.username == "<token>" {
        credentials.identitytoken = Some(answer.secret);
    } else {
        (credentials.username, credentials.password) = (Some(answer.username), Some(answer.secret));
    }
    Ok(Some(credentials))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(config: &str, registry: &str) -> Result<Option<(String, String)>, String> {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("config.json");
        std::fs::write(&file, config).expect("written");
        let found =
            of(registry, &file).await.map_err(|error| error.replace(&*file.to_string_lossy(), "FILE"))?;
        Ok(found.map(|found| (found.username.unwrap_or_default(), found.password.unwrap_or_default())))
    }

    #[tokio::test]
    async fn credentials_are_found_by_registry() {
        let config = r#"{"auths": {
            "https://index.docker.io/v1/": {"auth": "aHVi"},
            "127.0.0.1:5000": {"auth": "bWU6c2VjOnJldA=="},
            "https://quay.example/v2/": {"username": "q", "password": "p"},
            "empty.example": {}
        }}"#;
        let some = |name: &str, password: &str| Ok(Some((name.to_owned(), password.to_owned())));
        assert_eq!(check(config, "127.0.0.1:5000").await, some("me", "sec:ret"));
        assert_eq!(check(config, "quay.example").await, some("q", "p"));
        assert_eq!(check(config, "empty.example").await, Ok(None));
        assert_eq!(check(config, "other.example").await, Ok(None));
        let wrong = format!("FILE: the `auth` of {HUB} is not `name:password` in base64");
        assert_eq!(check(config, HUB).await, Err(wrong));
        assert_eq!(
            of(HUB, Path::new("/nonexistent/config.json")).await.map(|found| found.is_some()),
            Ok(false)
        );
    }

    #[tokio::test]
    async fn a_helper_that_is_not_there_is_named() {
        let found = check(r#"{"credsStore": "no-such-helper"}"#, "r.example").await;
        assert!(
            found.clone().is_err_and(|error| error.starts_with("docker-credential-no-such-helper: ")),
            "{found:?}"
        );
    }
}
