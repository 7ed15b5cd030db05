//! Triggers: what starts tasks by itself.

use super::{Construct, Key, Kind, Rest};

const SCHEDULER: &[&str] = &["scheduler"];
const WEBHOOK: &[&str] = &["webhook"];
const EVENT_SOURCE: &[&str] = &["event_source"];

pub(crate) static TRIGGER: Construct = Construct {
    title: "a trigger",
    doc: "Starts a task at times, on a request, or for each event of a source.",
    keys: &[
        Key::new(
            "type",
            Kind::Choice(&["scheduler", "webhook", "event_source"]),
            "What kind of trigger it is.",
        )
        .required(),
        Key::new("task", Kind::TaskName, "The task; of an event source, the task that watches for events.")
            .required(),
        Key::new("input", Kind::Values, "The job's input."),
        Key::new("enabled", Kind::Boolean, "Whether it works.").default("true"),
        Key::new("cron", Kind::Cron, "When: 5 or 6 fields; `L`, `#` and `W` are understood.")
            .on(SCHEDULER)
            .required(),
        Key::new("timezone", Kind::Text, "The time zone of `cron`.").default("UTC").on(SCHEDULER),
        Key::new(
            "concurrency",
            Kind::Choice(&["allow", "skip", "cancel_previous"]),
            "What happens while an earlier job is still running.",
        )
        .default("allow")
        .on(SCHEDULER),
        Key::new("catch_up", Kind::Any, "Whether times missed while the server was down are made up for.")
            .on(SCHEDULER),
        Key::new("name", Kind::Address, "The last part of the address `/hooks/{name}`.").on(WEBHOOK),
        Key::new("secret", Kind::Template, "What the caller must show.").on(WEBHOOK),
        Key::new("mode", Kind::Choice(&["async", "sync"]), "Whether the caller waits for the output.")
            .default("async")
            .on(WEBHOOK),
        Key::new("timeout_secs", Kind::Integer { min: 1, max: 300 }, "How long the caller waits.")
            .default("30")
            .on(WEBHOOK),
        Key::new("target_task", Kind::TaskName, "The task that each event starts.")
            .on(EVENT_SOURCE)
            .required(),
        Key::new("env", Kind::ScalarMap, "Environment variables of the watching task.").on(EVENT_SOURCE),
        Key::new(
            "restart_policy",
            Kind::Choice(&["always", "on_failure", "never"]),
            "When the watching task is run again.",
        )
        .default("always")
        .on(EVENT_SOURCE),
        Key::new("backoff_secs", Kind::Integer { min: 1, max: 86_400 }, "The wait before it is run again.")
            .default("5")
            .on(EVENT_SOURCE),
        Key::new("max_in_flight", Kind::Integer { min: 1, max: 1_000_000 }, "How many jobs may run at once.")
            .on(EVENT_SOURCE),
    ],
    rest: Rest::None,
};
