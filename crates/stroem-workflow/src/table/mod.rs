//! One table per construct of the language: key, type, default, where valid, doc. The shape check, "did you mean", the
//! JSON Schema and the reference all read these, so that they cannot drift. Data only: nothing here looks at a file.

mod action;
mod connection;
mod file;
mod step;
mod task;
mod trigger;

use stroem_core::HumanDuration;

pub(crate) use action::{ACTION, ACTION_TYPES, CONTAINER, RESOURCES};
pub(crate) use connection::{CONNECTION, CONNECTION_TYPE, MCP_SERVER, PROPERTY};
pub(crate) use file::FILE;
pub(crate) use step::{HOOK, STEP};
pub(crate) use task::{INPUT_FIELD, OUTPUT_FIELD, RETRY, TASK};
pub(crate) use trigger::TRIGGER;

/// Every construct with its name in `$defs`, in the order of the reference.
pub(crate) const CONSTRUCTS: [(&str, &Construct); 14] = [
    ("file", &FILE),
    ("task", &TASK),
    ("step", &STEP),
    ("action", &ACTION),
    ("resources", &RESOURCES),
    ("container", &CONTAINER),
    ("retry", &RETRY),
    ("input_field", &INPUT_FIELD),
    ("output_field", &OUTPUT_FIELD),
    ("hook", &HOOK),
    ("trigger", &TRIGGER),
    ("connection_type", &CONNECTION_TYPE),
    ("connection_property", &PROPERTY),
    ("connection", &CONNECTION),
];

/// A kind of map with known keys.
pub(crate) struct Construct {
    /// With its article, for messages: `a step`.
    pub(crate) title: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) keys: &'static [Key],
    pub(crate) rest: Rest,
}

/// What keys beside the known ones are.
pub(crate) enum Rest {
    /// Mistakes.
    None,
    /// Allowed, with any value.
    Any,
    /// Allowed, each with one construct.
    Each(&'static Construct),
}

/// One key of a construct.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    pub(crate) default: Option<&'static str>,
    /// The values of the construct's `type` that take the key; empty for all.
    pub(crate) on: &'static [&'static str],
    pub(crate) doc: &'static str,
}

/// What a key's value must look like.
pub(crate) enum Kind {
    /// A literal text.
    Text,
    /// A text in which templates are filled in.
    Template,
    /// Like `Template`; numbers and booleans are taken as they are spelled.
    Scalar,
    Boolean,
    Integer {
        min: i64,
        max: i64,
    },
    Number {
        min: f64,
        max: f64,
    },
    Duration {
        max: HumanDuration,
    },
    /// One of some words; further spellings are accepted but not advertised.
    Choice(&'static [&'static str]),
    Cpu,
    Memory,
    /// A list of literal tags.
    Tags,
    /// A list of capabilities of Linux.
    Capabilities,
    /// A list of mounts.
    Mounts,
    /// A list of literal texts.
    Texts,
    /// A list of texts in which templates are filled in.
    Templates,
    /// A list of step names.
    StepNames,
    /// A list of causes.
    Causes,
    /// A map of names to `Scalar`s.
    ScalarMap,
    /// A map of names to any values; texts in them are templates.
    Values,
    /// Any value.
    Any,
    /// A list of any values.
    AnyList,
    /// A map of any values.
    AnyMap,
    /// The name of an input type or of a connection type.
    InputType,
    /// The name of an action.
    ActionName,
    /// The name of a task.
    TaskName,
    /// The steps of a task: a map by name, or a list of steps with `name`.
    Flow,
    /// A template, or a list of values.
    Loop,
    /// When a schedule starts its task.
    Cron,
    /// A part of an address.
    Address,
    /// A map of names to one construct.
    MapOf(Named, &'static Construct),
    /// Like `MapOf`, and the map may stand below `properties:`.
    PropertiesOf(&'static Construct),
    /// One construct.
    One(&'static Construct),
    /// A list of one construct, or a single one.
    ListOf(&'static Construct),
    /// A nested map of texts.
    Secrets,
}

/// Which rule the names of a map follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    Task,
    Action,
    Step,
    Field,
    Other,
}

impl Construct {
    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

impl Key {
    const fn new(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, kind, required: false, default: None, on: &[], doc }
    }

    const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    const fn default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    const fn on(mut self, on: &'static [&'static str]) -> Self {
        self.on = on;
        self
    }

    /// Whether a construct of this type takes the key.
    pub(crate) fn is_on(&self, construct_type: Option<&str>) -> bool {
        self.on.is_empty() || construct_type.is_none_or(|name| self.on.contains(&name))
    }
}
