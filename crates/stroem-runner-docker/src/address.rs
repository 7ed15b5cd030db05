//! Where an engine listens.

use std::{fmt, path::PathBuf};

use crate::OptionsError;

/// The socket of an engine on the same host.
const LOCAL: &str = "/var/run/docker.sock";
const PORT: u16 = 2375;
const TLS_PORT: u16 = 2376;

/// An address, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Unix(PathBuf),
    /// `host:port`.
    Tcp(String),
}

impl Address {
    /// Reads what stands in `docker.host` or `DOCKER_HOST`.
    pub(crate) fn parse(text: Option<&str>, is_tls: bool) -> Result<Self, OptionsError> {
        let text = text.unwrap_or_default().trim();
        if text.is_empty() {
            return Ok(Self::Unix(PathBuf::from(LOCAL)));
        }
        let refused =
            |reason: &str| OptionsError::Address { address: text.to_owned(), reason: reason.to_owned() };
        let (scheme, rest) = match text.split_once("://") {
            Some(parts) => parts,
            None if text.starts_with('/') => ("unix", text),
            None => ("tcp", text),
        };
        match scheme {
            "unix" if rest.starts_with('/') => Ok(Self::Unix(PathBuf::from(rest))),
            "unix" => Err(refused("the path of a socket is absolute, as in `unix:///var/run/docker.sock`")),
            "tcp" | "http" | "https" => {
                let authority = rest.trim_end_matches('/');
                if authority.is_empty() || authority.contains('/') {
                    return Err(refused("write it as `tcp://host:port`"));
                }
                Ok(Self::Tcp(with_port(authority, if is_tls { TLS_PORT } else { PORT })))
            }
            _ => Err(refused("only `unix://` and `tcp://` are supported")),
        }
    }
}

fn with_port(authority: &str, port: u16) -> String {
    let host_end = authority.rfind(']').map_or(0, |end| end + 1);
    if authority[host_end..].contains(':') { authority.to_owned() } else { format!("{authority}:{port}") }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(authority) => write!(f, "tcp://{authority}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_docker_reads_them() {
        for (text, is_tls, expected) in [
            ("", false, "unix:///var/run/docker.sock"),
            ("unix:///run/user/1000/docker.sock", false, "unix:///run/user/1000/docker.sock"),
            ("/run/docker.sock", false, "unix:///run/docker.sock"),
            ("tcp://dind:2375", false, "tcp://dind:2375"),
            ("tcp://dind", false, "tcp://dind:2375"),
            ("tcp://dind/", true, "tcp://dind:2376"),
            ("https://dind", true, "tcp://dind:2376"),
            ("tcp://[::1]", false, "tcp://[::1]:2375"),
            ("tcp://[::1]:99", false, "tcp://[::1]:99"),
            ("127.0.0.1:2375", false, "tcp://127.0.0.1:2375"),
        ] {
            let address = Address::parse(Some(text), is_tls).expect(text);
            assert_eq!(address.to_string(), expected, "{text}");
        }
        assert_eq!(
            Address::parse(None, true).expect("the default").to_string(),
            "unix:///var/run/docker.sock"
        );
    }

    #[test]
    fn other_addresses_are_refused() {
        for text in
            ["ssh://host", "unix://run/docker.sock", "tcp://", "tcp://host:1/path", "npipe:////./pipe"]
        {
            let error = Address::parse(Some(text), false).expect_err(text).to_string();
            assert!(
                error.starts_with(&format!("the Docker engine's address `{text}` cannot be used: ")),
                "{error}"
            );
        }
    }
}
