//! A revision of a workspace: immutable, named by its content.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// A text that is not a revision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a revision (40 or 64 lower-case hexadecimal digits)")]
pub struct RevisionError(pub String);

/// For a folder the SHA-256 of what its tarball contains, for git the commit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Revision(Arc<str>);

impl Revision {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Revision {
    type Err = RevisionError;

    fn from_str(text: &str) -> Result<Self, RevisionError> {
        let digits = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        if matches!(text.len(), 40 | 64) && text.bytes().all(digits) {
            Ok(Self(text.into()))
        } else {
            Err(RevisionError(text.to_owned()))
        }
    }
}

impl TryFrom<String> for Revision {
    type Error = RevisionError;

    fn try_from(text: String) -> Result<Self, RevisionError> {
        text.parse()
    }
}

impl From<Revision> for String {
    fn from(revision: Revision) -> String {
        revision.0.as_ref().to_owned()
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hex_digests_are_revisions() {
        for good in ["0f".repeat(20), "0f".repeat(32)] {
            assert_eq!(good.parse::<Revision>().expect("parses").as_str(), good);
        }
        for bad in ["", "main", &"0F".repeat(20), &"0g".repeat(20), &"0".repeat(39), &"é".repeat(20)] {
            assert_eq!(bad.parse::<Revision>(), Err(RevisionError(bad.to_owned())));
        }
    }
}
