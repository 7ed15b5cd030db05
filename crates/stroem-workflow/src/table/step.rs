//! Steps and hooks. An inline step also takes the keys of its action.

use stroem_core::limits;

use super::{Construct, Key, Kind, RETRY, Rest};

pub(crate) static STEP: Construct = Construct {
    title: "a step",
    doc: "One node of a flow: it refers to an action with `action`, or is one itself with `type` and the keys of an action.",
    keys: &[
        Key::new("name", Kind::Text, "A label for people; in a list of steps, the step's name."),
        Key::new("description", Kind::Text, "A text for people."),
        Key::new("action", Kind::ActionName, "The action to run."),
        Key::new("depends_on", Kind::StepNames, "Steps that must end first."),
        Key::new("input", Kind::Values, "Values for the action; texts are templates."),
        Key::new(
            "continue_on_failure",
            Kind::Boolean,
            "Runs although a dependency failed, and may itself fail.",
        )
        .default("false"),
        Key::new(
            "timeout",
            Kind::Duration { max: limits::STEP_TIMEOUT_MAX },
            "Ends an attempt this long after its start.",
        ),
        Key::new(
            "when",
            Kind::Scalar,
            "The step is skipped when this renders to nothing, `false`, `0`, `null` or `none`.",
        ),
        Key::new("for_each", Kind::Loop, "Runs the step once for each item of a list."),
        Key::new("sequential", Kind::Boolean, "Whether the items run one after the other.").default("false"),
        Key::new("retry", Kind::One(&RETRY), "Runs a failed attempt again; replaces the action's."),
        Key::new("tags", Kind::Tags, "Tags that a worker must have, added to the action's."),
    ],
    rest: Rest::None,
};

pub(crate) static HOOK: Construct = Construct {
    title: "a hook",
    doc: "What runs after a job: it refers to an action, or is one itself with `type` and the keys of an action.",
    keys: &[
        Key::new("name", Kind::Text, "A label for people."),
        Key::new("description", Kind::Text, "A text for people."),
        Key::new("action", Kind::ActionName, "The action to run."),
        Key::new("input", Kind::Values, "Values for the action; texts are templates that see `hook`."),
        Key::new(
            "timeout",
            Kind::Duration { max: limits::STEP_TIMEOUT_MAX },
            "Ends it this long after its start.",
        ),
        Key::new("tags", Kind::Tags, "Tags that a worker must have, added to the action's."),
    ],
    rest: Rest::None,
};
