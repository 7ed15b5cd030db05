//! What a runner is asked to run: a step with every template rendered and every default filled in.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{ByteSize, Container, CpuQuantity, HumanDuration, Secret};

/// Where a step runs. Spelled as `runner:` in YAML.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunnerKind {
    /// A process on the worker's host.
    Local,
    /// A container on a Docker engine.
    Docker,
    /// A pod on a Kubernetes cluster.
    Pod,
}

impl RunnerKind {
    /// The spelling in YAML and API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Docker => "docker",
            Self::Pod => "pod",
        }
    }

    /// The tag a worker needs to run it.
    pub const fn required_tag(self) -> &'static str {
        match self {
            Self::Local => "script",
            Self::Docker => "docker",
            Self::Pod => "kubernetes",
        }
    }
}

impl fmt::Display for RunnerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The language of a script. Spelled as `language:` in YAML.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Language {
    Shell,
    Python,
    Javascript,
    Typescript,
    Go,
}

impl Language {
    /// Every accepted spelling with its language, the canonical one first.
    pub const SPELLINGS: &'static [(&'static str, Self)] = &[
        ("shell", Self::Shell),
        ("python", Self::Python),
        ("javascript", Self::Javascript),
        ("typescript", Self::Typescript),
        ("go", Self::Go),
        ("bash", Self::Shell),
        ("js", Self::Javascript),
        ("ts", Self::Typescript),
    ];

    /// The canonical spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shell => "shell",
            Self::Python => "python",
            Self::Javascript => "javascript",
            Self::Typescript => "typescript",
            Self::Go => "go",
        }
    }

    /// The ending of a script file in this language, with its dot.
    pub const fn file_ending(self) -> &'static str {
        match self {
            Self::Shell => ".sh",
            Self::Python => ".py",
            Self::Javascript => ".js",
            Self::Typescript => ".ts",
            Self::Go => ".go",
        }
    }

    /// Programs that can run it, the preferred first.
    pub const fn toolchains(self) -> &'static [&'static str] {
        match self {
            Self::Shell => &["bash", "sh"],
            Self::Python => &["uv", "python3", "python"],
            Self::Javascript => &["bun", "node"],
            Self::Typescript => &["bun", "deno"],
            Self::Go => &["go"],
        }
    }
}

impl FromStr for Language {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::SPELLINGS
            .iter()
            .find(|(spelling, _)| *spelling == text)
            .map(|(_, language)| *language)
            .ok_or(())
    }
}

/// The `resources` of an action.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Processor time.
    pub cpu: Option<CpuQuantity>,
    /// Memory.
    pub memory: Option<ByteSize>,
    /// Processes and threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pids: Option<u32>,
}

/// The program of a script step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScriptBody {
    /// The text itself, rendered.
    Inline(String),
    /// A path inside the workspace; the file is run as it is.
    File(String),
}

/// A `type: script` step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptSpec {
    /// Where it runs.
    pub runner: RunnerKind,
    /// Its language.
    pub language: Language,
    /// Its program.
    pub body: ScriptBody,
    /// Replaces the language's preferred toolchain.
    pub interpreter: Option<String>,
    /// Positional arguments.
    pub args: Vec<String>,
    /// Packages to install before the run.
    pub dependencies: Vec<String>,
    /// Merged into the pod when the runner is `pod`.
    pub manifest: Option<serde_json::Value>,
}

/// A `type: docker` or `type: pod` step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSpec {
    /// `Docker` or `Pod`.
    pub runner: RunnerKind,
    /// The image's reference.
    pub image: String,
    /// Run through `sh -c`.
    pub cmd: Option<String>,
    /// Replaces the image's entrypoint.
    pub entrypoint: Option<Vec<String>>,
    /// Replaces the image's command.
    pub command: Option<Vec<String>>,
    /// Merged into the pod when the runner is `pod`.
    pub manifest: Option<serde_json::Value>,
}

/// What the step runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepRun {
    /// A script.
    Script(ScriptSpec),
    /// An image as it is.
    Image(ImageSpec),
}

impl StepRun {
    /// The runner that this step needs.
    pub const fn runner(&self) -> RunnerKind {
        match self {
            Self::Script(script) => script.runner,
            Self::Image(image) => image.runner,
        }
    }
}

/// One step, ready to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepSpec {
    /// What to run.
    pub run: StepRun,
    /// The action's `env`, rendered.
    pub env: BTreeMap<String, String>,
    /// Ends the attempt this long after its process started.
    pub timeout: Option<HumanDuration>,
    /// Limits.
    pub resources: Resources,
    /// What it asks of its container; nothing for a step that has none.
    #[serde(default, skip_serializing_if = "Container::is_default")]
    pub container: Container,
    /// The working directory, relative to the workspace.
    pub workdir: Option<String>,
    /// Values that must not appear in logs, outputs or errors.
    pub secrets: Vec<Secret>,
}
