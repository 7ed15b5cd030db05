//! The table that drives everything: which keys there are, of what kind, with which default and meaning.

/// The keys of one section.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// The keys, in the order of the reference.
    pub keys: &'static [Key],
}

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// The value when it is not written, as YAML would write it.
    pub default: Option<&'static str>,
    /// Whether it must be written, or come from the environment.
    pub required: bool,
    /// What it means, in one or two sentences.
    pub doc: &'static str,
}

/// What a value is, and what it becomes in the result.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A text; a number or boolean is taken as it is spelled.
    Text,
    /// A text that is never shown.
    Secret,
    /// A text with a rule of its own, which says in a sentence why it does not take a text.
    Checked {
        /// What it is, such as `a tag`.
        what: &'static str,
        /// The rule.
        rule: fn(&str) -> Result<(), String>,
    },
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Integer {
        /// The smallest that is allowed.
        min: u64,
        /// The largest that is allowed.
        max: u64,
    },
    /// `30s`, `5m` or whole seconds; milliseconds in the result.
    Duration,
    /// `512Mi`, `2Gi` or bytes; bytes in the result.
    Size,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of values of one kind.
    List(&'static Kind),
    /// A section with keys of its own. `name:` without a value is an empty section.
    Section(&'static Schema),
    /// A map whose keys the user chooses.
    Named(&'static Kind),
}

impl Key {
    /// A key that may be left out and then has no value.
    pub const fn new(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, kind, default: None, required: false, doc }
    }

    /// The same with a default, written as in YAML (lists in `[a, b]`, empty sections as `{}`).
    #[must_use]
    pub const fn or(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    /// The same, but it must be there.
    #[must_use]
    pub const fn required(self) -> Self {
        Self { required: true, ..self }
    }
}

impl Schema {
    /// The key of this name.
    pub fn key(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

impl Kind {
    /// What is expected, for messages.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Text | Self::Secret => "a text".to_owned(),
            Self::Checked { what, .. } => (*what).to_owned(),
            Self::Bool => "`true` or `false`".to_owned(),
            Self::Integer { min, max: u64::MAX } => format!("a whole number from {min}"),
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Duration => "a duration such as `30s` or `5m`".to_owned(),
            Self::Size => "a size such as `512Mi` or `2Gi`".to_owned(),
            Self::Choice(words) => {
                format!(
                    "one of {}",
                    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
                )
            }
            Self::List(_) => "a list".to_owned(),
            Self::Section(_) => "a section with keys of its own".to_owned(),
            Self::Named(_) => "a map".to_owned(),
        }
    }
}
