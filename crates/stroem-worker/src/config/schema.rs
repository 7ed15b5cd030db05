//! The table of the worker's configuration. Reader, error messages and reference come from it.

use stroem_config::{Key, Kind, Schema};
use stroem_core::{CpuQuantity, Mount, Tag, WorkerName};

const COUNT: Kind = Kind::Integer { min: 1, max: 10_000 };
const SECONDS: Kind = Kind::Integer { min: 1, max: 86_400 };
const NAME: Kind = Kind::Checked {
    what: "a worker's name",
    rule: |text| WorkerName::new(text).map(drop).map_err(|error| error.to_string()),
};
const TAG: Kind =
    Kind::Checked { what: "a tag", rule: |text| Tag::new(text).map(drop).map_err(|error| error.to_string()) };
const TOKEN: Kind = Kind::Checked { what: "a text without spaces", rule: token };

/// The token travels as header text.
fn token(text: &str) -> Result<(), String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err("a token is letters, digits and signs, without spaces and line ends".to_owned())
    }
}

/// Every key of `worker-config.yaml`.
pub static SCHEMA: Schema = Schema {
    keys: &[
        Key::new("server_url", Kind::Text, "The server's address.").or("http://127.0.0.1:8080"),
        Key::new("worker_token", TOKEN, "The same text as in the server's configuration.").required(),
        Key::new("worker_name", NAME, "Unique among the server's workers; the host's name when left out."),
        Key::new("max_concurrent", COUNT, "How many steps run at once.").or("4"),
        Key::new(
            "poll_interval_secs",
            SECONDS,
            "How often the server is asked for work when it does not hold the call open; normally it answers the moment there is work.",
        )
        .or("2"),
        Key::new("workspace_cache_dir", Kind::Text, "Where revisions of workspaces are unpacked; workers may share it.")
            .or(".stroem/workspace-cache"),
        Key::new("tags", Kind::List(&TAG), "What the worker can do; a step runs only where all of its tags are.")
            .or("[script]"),
        Key::new("capabilities", Kind::List(&TAG), "More tags.").or("[]"),
        Key::new("runner_image", Kind::Text, "The image of script steps in containers and pods.")
            .or("ghcr.io/fremvaerk/stroem-runner:latest"),
        Key::new("docker", Kind::Section(&DOCKER), "Runs steps on a Docker engine."),
        Key::new("kubernetes", Kind::Section(&KUBERNETES), "Runs steps as pods."),
        Key::new("exclusive", Kind::Bool, "Takes only steps that ask for all of the worker's custom tags.").or("false"),
        Key::new(
            "state_dir",
            Kind::Text,
            "Logs and results that the server does not have yet, and files of running steps; `worker-state/<worker_name>` beside the cache when left out.",
        ),
        Key::new("pass_env", Kind::List(&Kind::Text), "Names of variables of the worker that every step gets.").or("[]"),
        Key::new("drain_timeout_secs", SECONDS, "How long running steps may go on after SIGTERM.").or("60"),
        Key::new("limits", Kind::Section(&LIMITS), "Limits.").or("{}"),
        Key::new("disk", Kind::Section(&DISK), "Marks of the disks with the workspace cache, the spool and the images of a local Docker engine.").or("{}"),
    ],
};

static DOCKER: Schema = Schema {
    keys: &[
        Key::new(
            "host",
            Kind::Text,
            "The engine's address, `unix:///path` or `tcp://host:port`; `DOCKER_HOST` or the local socket when left out.",
        ),
        Key::new(
            "tls",
            Kind::Section(&TLS),
            "Files of a client for an engine that speaks TLS; with `DOCKER_TLS_VERIFY` those in `DOCKER_CERT_PATH` when left out.",
        ),
        Key::new("pull", Kind::Choice(&["always", "missing", "never"]), "When images are pulled.")
            .or("missing"),
        Key::new("pull_timeout", Kind::Duration, "How long one pull may take.").or("10m"),
        Key::new(
            "registry_config",
            Kind::Text,
            "Docker's `config.json` with the credentials of registries; the one in `DOCKER_CONFIG` or `~/.docker` when left out.",
        ),
        Key::new(
            "limits",
            Kind::Section(&CEILINGS),
            "What no step gets more of, and what a step without `resources` gets.",
        )
        .or("{}"),
        Key::new("user", Kind::Text, "The user of every container; the image's own when left out."),
        Key::new("read_only", Kind::Bool, "Whether the root of every container is read-only.").or("false"),
        Key::new(
            "cap_drop",
            Kind::List(&Kind::Text),
            "Capabilities that are dropped, `ALL` for all of them.",
        )
        .or("[]"),
        Key::new(
            "network",
            Kind::Text,
            "The network of every container, or `none`; the engine's default when left out.",
        ),
        Key::new(
            "mounts",
            Kind::List(&Kind::Text),
            "What every container gets of the engine's host, as `/from:/to[:ro]`.",
        )
        .or("[]"),
        Key::new(
            "allow",
            Kind::Section(&ALLOW),
            "What a step may ask for besides, with its `container`. Whatever else stands here, a step can only tighten.",
        )
        .or("{}"),
    ],
};

static ALLOW: Schema = Schema {
    keys: &[
        Key::new(
            "mounts",
            Kind::List(&HOST_PATH),
            "Paths of the engine's host that a step may mount, `/path` or `/path:ro`. Each allows itself and nothing below it. The engine's socket makes who has it the master of the host.",
        )
        .or("[]"),
        Key::new(
            "networks",
            Kind::List(&Kind::Text),
            "Networks that a step may ask for beside `none` and the engine's default.",
        )
        .or("[]"),
    ],
};

const HOST_PATH: Kind = Kind::Checked { what: "a path of the engine's host", rule: host_path };

fn host_path(text: &str) -> Result<(), String> {
    let path = text.strip_suffix(":ro").unwrap_or(text);
    format!("{path}:/x").parse::<Mount>().map(drop).map_err(|_| {
        "write an absolute path without `.`, `..` and doubled `/`, with `:ro` behind it if it may only be read".to_owned()
    })
}

static TLS: Schema = Schema {
    keys: &[
        Key::new("ca", Kind::Text, "Who may have signed the engine's certificate.").required(),
        Key::new("cert", Kind::Text, "The client's certificate.").required(),
        Key::new("key", Kind::Text, "Its key.").required(),
    ],
};

static CEILINGS: Schema = Schema {
    keys: &[
        Key::new("cpu", CPU, "Processor time."),
        Key::new("memory", Kind::Size, "Memory."),
        Key::new("pids", Kind::Integer { min: 1, max: 4_194_304 }, "Processes and threads."),
    ],
};

const CPU: Kind = Kind::Checked {
    what: "an amount of CPU such as `500m` or `2`",
    rule: |text| text.parse::<CpuQuantity>().map(drop).map_err(|error| error.to_string()),
};

static KUBERNETES: Schema = Schema {
    keys: &[
        Key::new("namespace", Kind::Text, "Where pods are created.").or("default"),
        Key::new("init_image", Kind::Text, "The image that downloads the workspace.")
            .or("curlimages/curl:latest"),
        Key::new("runner_startup_configmap", Kind::Text, "Holds scripts for `/etc/stroem/startup.d`."),
        Key::new(
            "server_url",
            Kind::Text,
            "The server's address as pods reach it; the worker's `server_url` when left out.",
        ),
        Key::new(
            "kubeconfig",
            Kind::Text,
            "The file with the cluster's address and credentials; when left out `KUBECONFIG`, `~/.kube/config`, or the account of the pod that the worker runs in.",
        ),
        Key::new("context", Kind::Text, "The kubeconfig's context; its current one when left out."),
        Key::new(
            "pending_timeout",
            Kind::Duration,
            "How long a pod may wait for room in a quota, for a node or for its image before the step fails.",
        )
        .or("5m"),
        Key::new(
            "service_account",
            Kind::Text,
            "The account that pods run as; without one they get no account's token.",
        ),
        Key::new("node_selector", Kind::Named(&Kind::Text), "Labels of the nodes that pods may run on.").or("{}"),
        Key::new("tolerations", Kind::List(&Kind::Section(&TOLERATION)), "Taints that pods tolerate.").or("[]"),
        Key::new("pull_secrets", Kind::List(&Kind::Text), "Names of Secrets for private registries.").or("[]"),
        Key::new("pull_policy", Kind::Choice(PULL_POLICIES), "When images are pulled.").or("IfNotPresent"),
        Key::new("resources", Kind::Section(&RESOURCES), "Limits of pods whose step sets none.").or("{}"),
        Key::new(
            "allow",
            Kind::List(&Kind::Choice(ALLOWANCES)),
            "What a `manifest` may ask for beyond an ordinary pod: `privileged` also means added capabilities, `host_path` also ports of the node.",
        )
        .or("[]"),
    ],
};

const PULL_POLICIES: &[&str] = &["IfNotPresent", "Always", "Never"];
const ALLOWANCES: &[&str] = &["privileged", "host_path", "host_namespaces"];
static TOLERATION: Schema = Schema {
    keys: &[
        Key::new("key", Kind::Text, "The taint's key; every taint when left out, with `operator: Exists`."),
        Key::new("operator", Kind::Choice(&["Equal", "Exists"]), "How it is compared.").or("Equal"),
        Key::new("value", Kind::Text, "The taint's value."),
        Key::new(
            "effect",
            Kind::Choice(&["NoSchedule", "PreferNoSchedule", "NoExecute"]),
            "The taint's effect; every effect when left out.",
        ),
    ],
};

static RESOURCES: Schema =
    Schema { keys: &[Key::new("cpu", CPU, "Processor time."), Key::new("memory", Kind::Size, "Memory.")] };

static DISK: Schema = Schema {
    keys: &[
        Key::new(
            "collect_at_percent",
            PERCENT,
            "From here on revisions and images that no step uses are removed, the least recently used first; of images only those that this worker pulled.",
        )
        .or("85"),
        Key::new(
            "stop_at_percent",
            PERCENT,
            "From here on the worker takes no steps that need the disk; its tags are withdrawn, with the reason.",
        )
        .or("95"),
    ],
};

const PERCENT: Kind = Kind::Integer { min: 1, max: 100 };

static LIMITS: Schema = Schema {
    keys: &[
        Key::new("line", Kind::Size, "A longer log line is split.").or("256Ki"),
        Key::new("output", Kind::Size, "A larger output of a step is refused.").or("4Mi"),
        Key::new("log", Kind::Size, "Of a longer log of a step the middle is cut.").or("1Gi"),
        Key::new("cache_size", Kind::Size, "Unused revisions above this are removed.").or("10Gi"),
        Key::new("grace", Kind::Duration, "Between TERM and KILL.").or("10s"),
    ],
};
