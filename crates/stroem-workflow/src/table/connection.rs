//! Connections to other systems, their types, and tool servers.

use super::{Construct, Key, Kind, Rest};

pub(crate) static CONNECTION_TYPE: Construct = Construct {
    title: "a connection type",
    doc: "The properties that connections of a type have; they may stand below `properties:`.",
    keys: &[Key::new("properties", Kind::PropertiesOf(&PROPERTY), "The properties, by name.")],
    rest: Rest::Each(&PROPERTY),
};

pub(crate) static PROPERTY: Construct = Construct {
    title: "a connection property",
    doc: "One value of a connection.",
    keys: &[
        Key::new("type", Kind::InputType, "Its type.").default("string"),
        Key::new("name", Kind::Text, "A label for people."),
        Key::new("description", Kind::Text, "A text for people."),
        Key::new("required", Kind::Boolean, "Whether a connection must have it.").default("false"),
        Key::new("default", Kind::Any, "The value when none is written."),
        Key::new("secret", Kind::Boolean, "Whether it is masked.").default("false"),
    ],
    rest: Rest::None,
};

pub(crate) static CONNECTION: Construct = Construct {
    title: "a connection",
    doc: "How to reach another system: `type` and the properties of that type.",
    keys: &[Key::new("type", Kind::Text, "The connection's type.").required()],
    rest: Rest::Any,
};

pub(crate) static MCP_SERVER: Construct =
    Construct { title: "a tool server", doc: "A tool server for agent actions.", keys: &[], rest: Rest::Any };
