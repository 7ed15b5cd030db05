//! Tasks, their inputs and outputs, and retry.

use stroem_core::{HumanDuration, limits};

use super::{Construct, HOOK, Key, Kind, Named, Rest};

pub(crate) static TASK: Construct = Construct {
    title: "a task",
    doc: "What can be run: an input schema and a flow of steps.",
    keys: &[
        Key::new("name", Kind::Text, "A label for people."),
        Key::new("description", Kind::Text, "A text for people."),
        Key::new(
            "folder",
            Kind::Text,
            "Where lists show it; the path of its file below `.workflows` otherwise.",
        ),
        Key::new("mode", Kind::Choice(&["distributed"]), "How its steps run.").default("distributed"),
        Key::new(
            "input",
            Kind::MapOf(Named::Field, &INPUT_FIELD),
            "The input schema; any input is taken without one.",
        ),
        Key::new("output", Kind::PropertiesOf(&OUTPUT_FIELD), "What its output holds, for people."),
        Key::new("flow", Kind::Flow, "The steps.").required(),
        Key::new(
            "timeout",
            Kind::Duration { max: limits::TASK_TIMEOUT_MAX },
            "Ends the job this long after its creation.",
        ),
        Key::new("retry", Kind::One(&RETRY), "Runs a failed job again, as a new job."),
        Key::new("on_success", Kind::ListOf(&HOOK), "Run after a job succeeded."),
        Key::new("on_error", Kind::ListOf(&HOOK), "Run after a job failed."),
        Key::new("on_cancel", Kind::ListOf(&HOOK), "Run after a job was cancelled."),
        Key::new("on_suspended", Kind::ListOf(&HOOK), "Run when a job waits for a person."),
    ],
    rest: Rest::None,
};

pub(crate) static INPUT_FIELD: Construct = Construct {
    title: "an input field",
    doc: "One value that a task or an action takes.",
    keys: &[
        Key::new("type", Kind::InputType, "`string`, `text`, `integer`, `number`, `boolean`, `date`, `datetime`, or the name of a connection type.")
            .default("string"),
        Key::new("name", Kind::Text, "A label for people."),
        Key::new("description", Kind::Text, "A text for people."),
        Key::new("required", Kind::Boolean, "Whether a value must be given.").default("false"),
        Key::new("secret", Kind::Boolean, "Whether the value is encrypted at rest and masked everywhere.").default("false"),
        Key::new("default", Kind::Any, "The value when none is given."),
        Key::new("options", Kind::AnyList, "The allowed values."),
        Key::new("allow_custom", Kind::Boolean, "Whether values beside `options` are allowed.").default("false"),
        Key::new("multiple", Kind::Boolean, "Whether the value is a list.").default("false"),
        Key::new("order", Kind::Integer { min: i64::MIN, max: i64::MAX }, "The place in a form."),
    ],
    rest: Rest::None,
};

pub(crate) static OUTPUT_FIELD: Construct = Construct {
    title: "an output field",
    doc: "One value that an action's output holds; for people and tools.",
    keys: &[
        Key::new("type", Kind::Text, "Its type."),
        Key::new("name", Kind::Text, "A label for people."),
        Key::new("description", Kind::Text, "A text for people."),
        Key::new("required", Kind::Boolean, "Whether it is always there.").default("false"),
        Key::new("secret", Kind::Boolean, "Whether it is masked.").default("false"),
    ],
    rest: Rest::None,
};

pub(crate) static RETRY: Construct = Construct {
    title: "a retry rule",
    doc: "How often, when and after what a failed attempt is run again.",
    keys: &[
        Key::new("max_attempts", Kind::Integer { min: 1, max: 10 }, "Attempts in all, the first included.")
            .default("3"),
        Key::new(
            "delay",
            Kind::Duration { max: HumanDuration::from_secs(3600) },
            "The wait before the second attempt.",
        )
        .default("30s"),
        Key::new(
            "backoff",
            Kind::Choice(&["fixed", "exponential"]),
            "Whether the wait doubles, up to 64 times.",
        )
        .default("fixed"),
        Key::new(
            "jitter",
            Kind::Integer { min: 0, max: 25 },
            "Up to how many per cent are added to or taken off the wait.",
        )
        .default("0"),
        Key::new("on", Kind::Causes, "After which causes."),
    ],
    rest: Rest::None,
};
