//! What a step asks of its container against what its worker allows. Pure.
//!
//! The worker only ever takes away: what it says itself stands, and a step that asks for something else is refused and not
//! quietly given less. Two things of the engine's host are refused unless the worker's configuration lists them: mounts
//! and networks. A listed path allows itself and nothing below it, since a step that can write there could lay a link to
//! anywhere.

use stroem_core::{Container, Mount, Outcome, PullPolicy};

use crate::{DockerRunnerOptions, wrapper};

/// Networks that every step may ask for: none at all, and the engine's own default by its two names.
const HARMLESS: [&str; 3] = ["none", "bridge", "default"];

/// What a container gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) pull: PullPolicy,
    pub(crate) network: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) read_only: bool,
    pub(crate) cap_drop: Vec<String>,
    /// As the engine takes them, the worker's own first.
    pub(crate) mounts: Vec<String>,
}

/// What a worker lets a step ask for of the engine's host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allowed {
    /// Paths on the engine's host, each with whether it may only be read.
    pub mounts: Vec<(String, bool)>,
    /// Names of networks.
    pub networks: Vec<String>,
}

/// Lays a step's wishes over the worker's rules.
///
/// # Errors
/// What the worker does not allow, with the key that would.
pub(crate) fn grant(
    options: &DockerRunnerOptions,
    asked: &Container,
    is_script: bool,
) -> Result<Granted, Outcome> {
    let own = &options.hardening;
    let mut cap_drop = own.cap_drop.clone();
    cap_drop.extend(asked.cap_drop.iter().filter(|name| !own.cap_drop.contains(name)).cloned());
    let mut mounts = options.mounts.clone();
    for mount in &asked.mounts {
        mounts.push(allowed_mount(&options.allowed, mount, is_script)?.to_string());
    }
    Ok(Granted {
        pull: pull(options.pull, asked.pull)?,
        network: network(options, asked.network.as_deref())?,
        user: user(own.user.as_deref(), asked.user.as_deref())?,
        read_only: own.read_only_root || asked.read_only,
        cap_drop,
        mounts,
    })
}

/// A worker that never or always pulls does so for every step.
fn pull(own: PullPolicy, asked: Option<PullPolicy>) -> Result<PullPolicy, Outcome> {
    match asked {
        Some(asked) if own != PullPolicy::Missing && asked != own => Err(refused(
            &format!("pull: {}", asked.as_str()),
            &format!("has `docker.pull: {}`", own.as_str()),
        )),
        asked => Ok(asked.unwrap_or(own)),
    }
}

fn network(options: &DockerRunnerOptions, asked: Option<&str>) -> Result<Option<String>, Outcome> {
    let own = options.hardening.network.as_deref();
    let Some(name) = asked else { return Ok(own.map(str::to_owned)) };
    let wish = || format!("network: {name}");
    match own {
        Some(own) if own != name && name != "none" => {
            return Err(refused(&wish(), &format!("has `docker.network: {own}`")));
        }
        None if !HARMLESS.contains(&name)
            && !options.allowed.networks.iter().any(|allowed| allowed == name) =>
        {
            return Err(refused(&wish(), "does not list it in `docker.allow.networks`"));
        }
        Some(_) | None => {}
    }
    Ok(Some(name.to_owned()))
}

fn user(own: Option<&str>, asked: Option<&str>) -> Result<Option<String>, Outcome> {
    match (own, asked) {
        (Some(own), Some(asked)) if own != asked => {
            Err(refused(&format!("user: {asked}"), &format!("has `docker.user: {own}`")))
        }
        (own, asked) => Ok(own.or(asked).map(str::to_owned)),
    }
}

fn allowed_mount<'a>(allowed: &Allowed, mount: &'a Mount, is_script: bool) -> Result<&'a Mount, Outcome> {
    let wish = format!("mounts: {mount}");
    match allowed.mounts.iter().find(|(path, _)| *path == mount.from) {
        None => {
            return Err(refused(&wish, &format!("does not list {} in `docker.allow.mounts`", mount.from)));
        }
        Some((_, true)) if !mount.read_only => {
            return Err(refused(
                &wish,
                &format!("lists it in `docker.allow.mounts` as `{}:ro` only", mount.from),
            ));
        }
        Some(_) => {}
    }
    let within = |root: &str| {
        mount.to == root || mount.to.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'))
    };
    if is_script && let Some(root) = [wrapper::WORKSPACE, wrapper::HOME].into_iter().find(|root| within(root))
    {
        let message = format!("container: `{wish}` would cover {root}, which is the step's own");
        return Err(Outcome::InvalidInput { message });
    }
    Ok(mount)
}

fn refused(wish: &str, why: &str) -> Outcome {
    Outcome::InvalidInput {
        message: format!("container: `{wish}` is not allowed: this worker's configuration {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ceilings, Hardening};

    fn options() -> DockerRunnerOptions {
        DockerRunnerOptions {
            host: None,
            tls: None,
            runner_image: "image".to_owned(),
            pull: PullPolicy::Missing,
            pull_timeout: std::time::Duration::from_secs(1),
            registry_config: None,
            ceilings: Ceilings::default(),
            hardening: Hardening::default(),
            mounts: vec!["/own:/own".to_owned()],
            allowed: Allowed {
                mounts: vec![("/sock".to_owned(), false), ("/data".to_owned(), true)],
                networks: vec!["jobs".to_owned()],
            },
            images_file: None,
            owner: "me".to_owned(),
        }
    }

    fn strict() -> DockerRunnerOptions {
        let hardening = Hardening {
            user: Some("7".to_owned()),
            read_only_root: true,
            cap_drop: vec!["NET_RAW".to_owned()],
            network: Some("jobs".to_owned()),
        };
        DockerRunnerOptions { hardening, pull: PullPolicy::Never, ..options() }
    }

    fn asked(text: &str) -> Container {
        serde_json::from_str(text).expect("a container")
    }

    #[test]
    fn a_step_gets_what_its_worker_allows() {
        let wishes = r#"{"pull": "always", "network": "jobs", "user": "1", "read_only": true, "cap_drop": ["ALL"],
                        "mounts": ["/sock:/var/run/docker.sock", "/data:/d:ro"]}"#;
        let expected = Granted {
            pull: PullPolicy::Always,
            network: Some("jobs".to_owned()),
            user: Some("1".to_owned()),
            read_only: true,
            cap_drop: vec!["ALL".to_owned()],
            mounts: vec![
                "/own:/own".to_owned(),
                "/sock:/var/run/docker.sock".to_owned(),
                "/data:/d:ro".to_owned(),
            ],
        };
        assert_eq!(grant(&options(), &asked(wishes), true), Ok(expected));
    }

    #[test]
    fn what_the_worker_takes_away_stands_whatever_a_step_asks_for() {
        let expected = Granted {
            pull: PullPolicy::Never,
            network: Some("none".to_owned()),
            user: Some("7".to_owned()),
            read_only: true,
            cap_drop: vec!["NET_RAW".to_owned(), "CHOWN".to_owned()],
            mounts: vec!["/own:/own".to_owned()],
        };
        let wishes = r#"{"network": "none", "read_only": false, "cap_drop": ["CHOWN", "NET_RAW"]}"#;
        assert_eq!(grant(&strict(), &asked(wishes), true), Ok(expected));
    }

    #[test]
    fn what_a_worker_does_not_allow_is_refused_with_the_key_that_would() {
        for (options, wish, expected) in [
            (strict(), r#"{"user": "0"}"#, "has `docker.user: 7`"),
            (strict(), r#"{"pull": "always"}"#, "has `docker.pull: never`"),
            (strict(), r#"{"network": "bridge"}"#, "has `docker.network: jobs`"),
            (options(), r#"{"network": "host"}"#, "does not list it in `docker.allow.networks`"),
            (options(), r#"{"network": "container:x"}"#, "does not list it in `docker.allow.networks`"),
            (options(), r#"{"mounts": ["/etc:/etc"]}"#, "does not list /etc in `docker.allow.mounts`"),
            (
                options(),
                r#"{"mounts": ["/data/sub:/x:ro"]}"#,
                "does not list /data/sub in `docker.allow.mounts`",
            ),
            (options(), r#"{"mounts": ["/data:/x"]}"#, "as `/data:ro` only"),
            (options(), r#"{"mounts": ["/sock:/workspace/x"]}"#, "would cover /workspace"),
            (options(), r#"{"mounts": ["/sock:/.stroem"]}"#, "would cover /.stroem"),
        ] {
            let granted = grant(&options, &asked(wish), true);
            let Err(Outcome::InvalidInput { message }) = &granted else { panic!("{wish}: {granted:?}") };
            assert!(message.contains(expected), "{wish}: {message}");
        }
        let covers = asked(r#"{"mounts": ["/sock:/workspace"]}"#);
        assert!(grant(&options(), &covers, false).is_ok(), "an image step has no workspace of ours");
    }
}
