//! The parts of an image's reference.

/// A reference such as `registry:5000/team/tool:1.2` or `tool@sha256:...`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reference<'a> {
    /// Without tag and digest.
    pub(crate) name: &'a str,
    /// The digest if there is one, else the tag, else `latest`.
    pub(crate) version: &'a str,
}

/// The key of Docker Hub in lists of credentials.
pub(crate) const HUB: &str = "https://index.docker.io/v1/";

impl<'a> Reference<'a> {
    pub(crate) fn parse(text: &'a str) -> Self {
        if let Some((name, digest)) = text.split_once('@') {
            return Self { name: untagged(name).0, version: digest };
        }
        let (name, tag) = untagged(text);
        Self { name, version: tag.unwrap_or("latest") }
    }

    /// The registry as credentials name it.
    pub(crate) fn registry(&self) -> &'a str {
        match self.name.split_once('/') {
            Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => match host {
                "docker.io" | "index.docker.io" => HUB,
                host => host,
            },
            _ => HUB,
        }
    }
}

fn untagged(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_fall_into_name_version_and_registry() {
        for (text, name, version, registry) in [
            ("alpine", "alpine", "latest", HUB),
            ("alpine:3", "alpine", "3", HUB),
            ("team/tool", "team/tool", "latest", HUB),
            ("docker.io/team/tool:1", "docker.io/team/tool", "1", HUB),
            ("ghcr.io/a/b:latest", "ghcr.io/a/b", "latest", "ghcr.io"),
            ("localhost/a", "localhost/a", "latest", "localhost"),
            ("127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b", "latest", "127.0.0.1:5000"),
            ("r:5000/a:2", "r:5000/a", "2", "r:5000"),
            ("a/b@sha256:00", "a/b", "sha256:00", HUB),
            ("r.io/b:1@sha256:00", "r.io/b", "sha256:00", "r.io"),
        ] {
            let reference = Reference::parse(text);
            assert_eq!(
                (reference.name, reference.version, reference.registry()),
                (name, version, registry),
                "{text}"
            );
        }
    }
}
