//! Actions: what a step runs. Which keys an action takes follows from its `type`.

use stroem_core::{PullPolicy, limits};

use super::{Construct, INPUT_FIELD, Key, Kind, Named, OUTPUT_FIELD, RETRY, Rest};

pub(crate) const ACTION_TYPES: &[&str] = &["script", "docker", "pod", "task", "approval", "agent"];

const RUNS: &[&str] = &["script", "docker", "pod"];
const DOCKER: &[&str] = &["docker", "script"];
const SCRIPT: &[&str] = &["script"];
const IMAGE: &[&str] = &["docker", "pod"];
const TASK: &[&str] = &["task"];
const APPROVAL: &[&str] = &["approval"];
const AGENT: &[&str] = &["agent"];

pub(crate) static RESOURCES: Construct = Construct {
    title: "a resource limit",
    doc: "What a step may use.",
    keys: &[
        Key::new("cpu", Kind::Cpu, "Processor time, such as `500m` or `2`."),
        Key::new("memory", Kind::Memory, "Memory, such as `512Mi`."),
        Key::new(
            "pids",
            Kind::Integer { min: 1, max: 4_194_304 },
            "Processes and threads, in a container only.",
        ),
    ],
    rest: Rest::None,
};

pub(crate) static CONTAINER: Construct = Construct {
    title: "a container",
    doc: "What a step asks of its container on a Docker engine. Values are literal. What a worker says itself holds \
          against it: the worker takes more away and never less.",
    keys: &[
        Key::new(
            "pull",
            Kind::Choice(PullPolicy::WORDS),
            "When the image is pulled; `missing` when neither step nor worker says it.",
        ),
        Key::new("network", Kind::Text, "`none`, or a network that the worker allows."),
        Key::new("user", Kind::Text, "Goes before the image's user, such as `1000:1000`."),
        Key::new(
            "read_only",
            Kind::Boolean,
            "Whether its root is read-only; `/tmp` is not, and of a script neither is `/workspace`.",
        )
        .default("false"),
        Key::new("cap_drop", Kind::Capabilities, "Capabilities that are dropped, `ALL` for all of them."),
        Key::new(
            "mounts",
            Kind::Mounts,
            "What it gets of the engine's host, as `/from:/to[:ro]`; a worker refuses what it does not allow.",
        ),
    ],
    rest: Rest::None,
};

pub(crate) static ACTION: Construct = Construct {
    title: "an action",
    doc: "What a step runs.",
    keys: &[
        Key::new("type", Kind::Choice(ACTION_TYPES), "What kind of action it is.").required(),
        Key::new("name", Kind::Text, "A label for people."),
        Key::new("description", Kind::Text, "A text for people."),
        Key::new("input", Kind::MapOf(Named::Field, &INPUT_FIELD), "The input schema; any input is taken without one."),
        Key::new("output", Kind::PropertiesOf(&OUTPUT_FIELD), "What its output holds, for people."),
        Key::new("env", Kind::ScalarMap, "Environment variables.").on(RUNS),
        Key::new("tags", Kind::Tags, "Tags that a worker must have.").on(RUNS),
        Key::new("retry", Kind::One(&RETRY), "Runs a failed attempt again.").on(RUNS),
        Key::new("timeout", Kind::Duration { max: limits::STEP_TIMEOUT_MAX }, "Ends an attempt this long after its start.")
            .on(RUNS),
        Key::new("workdir", Kind::Template, "The working directory.").on(RUNS),
        Key::new("resources", Kind::One(&RESOURCES), "What it may use.").on(RUNS),
        Key::new("container", Kind::One(&CONTAINER), "What it asks of its container. A script takes it with `runner: docker`.").on(DOCKER),
        Key::new("script", Kind::Template, "The program's text.").on(SCRIPT),
        Key::new("source", Kind::Template, "The program's path inside the workspace, instead of `script`.").on(SCRIPT),
        Key::new("runner", Kind::Choice(&["local", "docker", "pod"]), "Where it runs.").default("local").on(SCRIPT),
        Key::new(
            "language",
            Kind::Choice(&["shell", "python", "javascript", "typescript", "go", "bash", "js", "ts"]),
            "The program's language.",
        )
        .default("shell")
        .on(SCRIPT),
        Key::new("dependencies", Kind::Texts, "Packages that are installed before the run; not for shell.").on(SCRIPT),
        Key::new("interpreter", Kind::Template, "Runs the program instead of the language's own.").on(SCRIPT),
        Key::new("args", Kind::Templates, "Positional arguments.").on(SCRIPT),
        Key::new("image", Kind::Template, "The image.").on(IMAGE).required(),
        Key::new("cmd", Kind::Template, "Run through `sh -c`.").on(IMAGE),
        Key::new("entrypoint", Kind::Templates, "Replaces the image's entrypoint.").on(IMAGE),
        Key::new("command", Kind::Templates, "Replaces the image's command.").on(IMAGE),
        Key::new(
            "manifest",
            Kind::AnyMap,
            "Merged into the pod: maps merge, lists of named objects merge by name, the rest replaces. A script takes it with `runner: pod`.",
        )
        .on(&["pod", "script"]),
        Key::new("task", Kind::TaskName, "The task that runs as a child job.").on(TASK).required(),
        Key::new("message", Kind::Template, "What the person is asked.").on(APPROVAL),
        Key::new("provider", Kind::Text, "Who serves the model.").on(AGENT),
        Key::new("model", Kind::Text, "The model.").on(AGENT),
        Key::new("system_prompt", Kind::Template, "What the model is told first.").on(AGENT),
        Key::new("prompt", Kind::Template, "What the model is asked.").on(AGENT).required(),
        Key::new("temperature", Kind::Number { min: 0.0, max: 2.0 }, "How freely it answers.").on(AGENT),
        Key::new("max_tokens", Kind::Integer { min: 1, max: 10_000_000 }, "The longest answer.").on(AGENT),
        Key::new("tools", Kind::AnyList, "What it may call.").on(AGENT),
        Key::new("max_turns", Kind::Integer { min: 1, max: 1_000 }, "How often it may call tools.").on(AGENT),
        Key::new("interactive", Kind::Boolean, "Whether it may ask a person.").default("false").on(AGENT),
    ],
    rest: Rest::None,
};
