//! Names that users choose: workspaces, tasks, actions, steps, workers.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::limits;

/// Why a text cannot be a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name has no characters.
    #[error("the name of {what} cannot be empty")]
    Empty {
        /// Which kind of name.
        what: &'static str,
    },
    /// The name is longer than [`limits::NAME_LENGTH`].
    #[error("the name of {what} can have {} characters at most, this one has {length}", limits::NAME_LENGTH)]
    TooLong {
        /// Which kind of name.
        what: &'static str,
        /// Its length in characters.
        length: usize,
    },
    /// The name has a character that names cannot have.
    #[error(
        "`{character}` cannot be part of the name of {what} (letters, digits, `_`, `-`, `.` and spaces inside can)"
    )]
    Character {
        /// Which kind of name.
        what: &'static str,
        /// The first offending character, escaped.
        character: String,
    },
}

fn check(what: &'static str, text: &str) -> Result<(), NameError> {
    if text.trim().is_empty() {
        return Err(NameError::Empty { what });
    }
    let length = text.chars().count();
    if length > limits::NAME_LENGTH {
        return Err(NameError::TooLong { what, length });
    }
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ');
    let edge = |c: Option<char>| c.filter(|c| *c == ' ');
    let bad = text.chars().find(|c| !inside(*c)).or(edge(text.chars().next())).or(edge(text.chars().last()));
    match bad {
        Some(character) => {
            Err(NameError::Character { what, character: character.escape_debug().to_string() })
        }
        None => Ok(()),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and wraps a name.
            ///
            /// # Errors
            /// [`NameError`] says which rule the text breaks.
            pub fn new(text: &str) -> Result<Self, NameError> {
                check($what, text)?;
                Ok(Self(text.into()))
            }

            /// The name as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// A workspace: a key under `workspaces` in the server's config.
    WorkspaceName,
    "a workspace"
);
name!(
    /// A task: a key under `tasks`.
    TaskName,
    "a task"
);
name!(
    /// An action: a key under `actions`.
    ActionName,
    "an action"
);
name!(
    /// A step: a key under a task's `flow`.
    StepName,
    "a step"
);
name!(
    /// A worker: `worker_name` in its config.
    WorkerName,
    "a worker"
);

/// How a name is spelled inside templates: `-`, `.` and spaces become `_` (`say-hello` is `say_hello`).
pub fn template_name(name: &str) -> String {
    name.replace(['-', '.', ' '], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_edges_are_refused() {
        for bad in ["", "  ", "a[0]", "a/b", " a", "a ", "a\n", &"x".repeat(limits::NAME_LENGTH + 1)] {
            assert!(StepName::new(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "say-hello", "Grüße 2", "v1.2", "_x"] {
            assert_eq!(StepName::new(good).expect(good).as_str(), good);
        }
    }

    #[test]
    fn template_names_have_no_dashes() {
        assert_eq!(template_name("say-hello.v1 b"), "say_hello_v1_b");
    }
}
