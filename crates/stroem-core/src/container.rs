//! What a step asks of its container beyond its program, in the words that Compose files use.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The `container` of an action. What is left out is as the worker has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Container {
    /// When its image is pulled.
    pub pull: Option<PullPolicy>,
    /// The network's name, or `none`.
    pub network: Option<String>,
    /// Goes before the image's user.
    pub user: Option<String>,
    /// The root is read-only.
    pub read_only: bool,
    /// Capabilities that are dropped; `ALL` for all of them.
    pub cap_drop: Vec<String>,
    /// What it gets of the engine's host.
    pub mounts: Vec<Mount>,
}

impl Container {
    /// Whether it asks for nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// When an image is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullPolicy {
    /// Before every step.
    Always,
    /// When the engine does not have it.
    #[default]
    Missing,
    /// Never: the engine has it, or the step fails.
    Never,
}

impl PullPolicy {
    /// The words of a configuration.
    pub const WORDS: &'static [&'static str] = &["always", "missing", "never"];

    /// The word in a configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Missing => "missing",
            Self::Never => "never",
        }
    }

    /// From its word, which somebody has checked; any other is the default.
    pub fn parse(word: &str) -> Self {
        match word {
            "always" => Self::Always,
            "never" => Self::Never,
            _ => Self::Missing,
        }
    }
}

/// Capabilities that can be dropped, as Linux names them without `CAP_`.
pub const CAPABILITIES: &[&str] = &[
    "ALL",
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
];

/// A file or folder of the engine's host inside a container: `/from:/to`, or `/from:/to:ro`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Mount {
    /// Where it is on the host: absolute, without `..`.
    pub from: String,
    /// Where it is in the container.
    pub to: String,
    /// Nothing can be written to it.
    pub read_only: bool,
}

/// Why a text is not a mount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MountError {
    /// Not two or three parts.
    #[error("`{0}` is not a mount: write `/from:/to`, or `/from:/to:ro`")]
    Shape(String),
    /// A path that could mean several places.
    #[error("`{0}` is not an absolute path without `.`, `..` and doubled `/`")]
    Path(String),
    /// An unknown third part.
    #[error("a mount ends with `:ro` or `:rw`, not with `:{0}`")]
    Mode(String),
}

impl FromStr for Mount {
    type Err = MountError;

    fn from_str(text: &str) -> Result<Self, MountError> {
        let parts: Vec<&str> = text.split(':').collect();
        let (from, to, mode) = match parts[..] {
            [from, to] => (from, to, "rw"),
            [from, to, mode] => (from, to, mode),
            _ => return Err(MountError::Shape(text.to_owned())),
        };
        let read_only = match mode {
            "ro" => true,
            "rw" => false,
            other => return Err(MountError::Mode(other.to_owned())),
        };
        if let Some(wrong) = [from, to].into_iter().find(|path| !is_plain(path)) {
            return Err(MountError::Path(wrong.to_owned()));
        }
        Ok(Self { from: from.to_owned(), to: to.to_owned(), read_only })
    }
}

fn is_plain(path: &str) -> bool {
    path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(|part| !matches!(part, "" | "." | "..")))
}

impl TryFrom<String> for Mount {
    type Error = MountError;

    fn try_from(text: String) -> Result<Self, MountError> {
        text.parse()
    }
}

impl From<Mount> for String {
    fn from(mount: Mount) -> Self {
        mount.to_string()
    }
}

impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}{}", self.from, self.to, if self.read_only { ":ro" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_parse_as_they_print() {
        for (text, printed) in [
            ("/a:/b", "/a:/b"),
            ("/a/b:/c:rw", "/a/b:/c"),
            ("/run/docker.sock:/x.sock:ro", "/run/docker.sock:/x.sock:ro"),
        ] {
            assert_eq!(text.parse::<Mount>().expect(text).to_string(), printed);
        }
    }

    #[test]
    fn what_could_mean_another_place_is_no_mount() {
        for text in [
            "",
            "/a",
            "a:/b",
            "/a:b",
            "/:/b",
            "/a:/",
            "/a/../b:/c",
            "/a//b:/c",
            "/a/:/b",
            "/a/./b:/c",
            "/a:/b:z",
            "/a:/b:ro:x",
        ] {
            assert!(text.parse::<Mount>().is_err(), "{text:?}");
        }
    }
}
