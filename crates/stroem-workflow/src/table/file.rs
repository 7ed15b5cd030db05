//! The top level of a file.

use super::{
    ACTION, CONNECTION, CONNECTION_TYPE, Construct, HOOK, Key, Kind, MCP_SERVER, Named, Rest, TASK, TRIGGER,
};

pub(crate) static FILE: Construct = Construct {
    title: "a workflow file",
    doc: "A file below `.workflows/`, ending in `.yaml` or `.yml`. All files of a workspace are merged.",
    keys: &[
        Key::new("secrets", Kind::Secrets, "Nested map of secret texts, used as `secret.a.b` in templates."),
        Key::new(
            "connection_types",
            Kind::MapOf(Named::Other, &CONNECTION_TYPE),
            "Kinds of connections, by name.",
        ),
        Key::new("connections", Kind::MapOf(Named::Other, &CONNECTION), "Connections, by name."),
        Key::new("actions", Kind::MapOf(Named::Action, &ACTION), "Actions that steps refer to, by name."),
        Key::new("tasks", Kind::MapOf(Named::Task, &TASK), "Tasks, by name."),
        Key::new("triggers", Kind::MapOf(Named::Other, &TRIGGER), "What starts tasks by itself, by name."),
        Key::new(
            "mcp_servers",
            Kind::MapOf(Named::Other, &MCP_SERVER),
            "Tool servers for agent actions, by name.",
        ),
        Key::new(
            "on_success",
            Kind::ListOf(&HOOK),
            "Run after a top-level job succeeded whose task has no such hook.",
        ),
        Key::new(
            "on_error",
            Kind::ListOf(&HOOK),
            "Run after a top-level job failed whose task has no such hook.",
        ),
        Key::new(
            "on_suspended",
            Kind::ListOf(&HOOK),
            "Run when a top-level job waits for a person and its task has no such hook.",
        ),
        Key::new(
            "on_cancel",
            Kind::ListOf(&HOOK),
            "Run after a top-level job was cancelled whose task has no such hook.",
        ),
    ],
    rest: Rest::None,
};
