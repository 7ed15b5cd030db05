//! The plan of a task: every reference resolved, templates still text. A job pins the plan it was created with, so
//! editing or deleting YAML never changes a running job. Persisted as versioned JSON, shared by hash.

use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use stroem_core::{Container, HumanDuration, Language, Resources, RunnerKind, StepName, TagSet, TaskName};

use crate::input::InputField;

/// The version written by this build. Golden files hold one plan per version.
pub const PLAN_VERSION: u32 = 1;

/// A task, resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`PLAN_VERSION`] of the build that wrote it.
    pub version: u32,
    /// The task's name (its key under `tasks`).
    pub task: TaskName,
    /// The task's time limit, counted from the job's creation.
    pub timeout: Option<HumanDuration>,
    /// The task's input schema, by field name in order of writing.
    pub input: IndexMap<String, InputField>,
    /// The steps in order of writing; a step is named by its index everywhere in the engine.
    pub steps: Vec<PlanStep>,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanStep {
    /// The step's name.
    pub name: StepName,
    /// The action it refers to; `None` for an inline step.
    pub action_name: Option<String>,
    /// Steps that must end first, by index, sorted, without duplicates.
    pub depends_on: Vec<u32>,
    /// Steps that wait for this one: the reverse of `depends_on`.
    pub dependents: Vec<u32>,
    /// Runs although a dependency failed, and its own failure does not fail the job.
    pub continue_on_failure: bool,
    /// The condition, as template text.
    pub when: Option<String>,
    /// The step's `input:` map; strings are templates.
    pub input: IndexMap<String, Value>,
    /// What the action's body sees as `input`.
    pub body_input: BodyInput,
    /// The action, resolved.
    pub action: PlanAction,
    /// Tags a worker must have to claim it: what the action needs, the action's and the step's.
    pub required_tags: TagSet,
    /// Limit per attempt, from the start of the process.
    pub timeout: Option<HumanDuration>,
    /// Steps whose result `when` and `input` refer to, by index, sorted.
    pub references: Vec<u32>,
    /// Steps whose result the action's body refers to, by index, sorted.
    pub body_references: Vec<u32>,
}

/// What templates in an action's body see as `input`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyInput {
    /// A referenced action sees the step's rendered input only.
    Step,
    /// An inline step sees the job's input with the step's own laid over it.
    JobThenStep,
}

/// The kind of an action: the `type:` key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the YAML spelling")]
pub enum ActionType {
    Script,
    Docker,
    Pod,
    Task,
    Approval,
    Agent,
}

impl ActionType {
    /// The spelling in YAML and API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::Docker => "docker",
            Self::Pod => "pod",
            Self::Task => "task",
            Self::Approval => "approval",
            Self::Agent => "agent",
        }
    }
}

impl fmt::Display for ActionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The program of a script action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScriptSource {
    /// `script:` as template text.
    Inline(String),
    /// `source:`, a path inside the workspace.
    File(String),
}

/// An action as a step runs it; strings are templates unless said otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanAction {
    /// The kind.
    pub action_type: ActionType,
    /// The action's input schema; empty means that any input is taken as it is.
    pub input: IndexMap<String, InputField>,
    /// `env`.
    pub env: IndexMap<String, String>,
    /// `resources` (literal).
    pub resources: Resources,
    /// `container` (literal).
    #[serde(default, skip_serializing_if = "Container::is_default")]
    pub container: Container,
    /// `workdir`.
    pub workdir: Option<String>,
    /// Script: where it runs. Docker and pod actions: the runner of their type. Others: `None`.
    pub runner: Option<RunnerKind>,
    /// Script: the language (literal).
    pub language: Option<Language>,
    /// Script: the program.
    pub source: Option<ScriptSource>,
    /// Script: the interpreter that replaces the preferred toolchain.
    pub interpreter: Option<String>,
    /// Script: positional arguments.
    pub args: Vec<String>,
    /// Script: packages (literal).
    pub dependencies: Vec<String>,
    /// Docker and pod: the image.
    pub image: Option<String>,
    /// Docker and pod: run through `sh -c`.
    pub cmd: Option<String>,
    /// Docker and pod: replaces the image's entrypoint.
    pub entrypoint: Option<Vec<String>>,
    /// Docker and pod: replaces the image's command.
    pub command: Option<Vec<String>>,
    /// Pod, and script with the pod runner: merged into the pod.
    pub manifest: Option<Value>,
}

/// SHA-256 of a plan's JSON: jobs of the same plan share one stored copy.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlanHash([u8; 32]);

impl PlanHash {
    /// The hash as the store keeps it.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads what [`Self::as_bytes`] gave.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for PlanHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PlanHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why stored plan JSON cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PlanFormatError {
    /// Not the JSON of a plan.
    #[error("stored plan is not readable: {0}")]
    Json(#[from] serde_json::Error),
    /// Written by a newer build.
    #[error("stored plan has version {found}, this build reads up to {PLAN_VERSION}")]
    Version {
        /// The version found.
        found: u32,
    },
}

impl Plan {
    /// The JSON form that the store keeps, with its hash.
    pub fn to_stored(&self) -> (String, PlanHash) {
        let json = serde_json::to_string(self).expect("a plan is maps, lists and text, which JSON can hold");
        let hash = PlanHash(Sha256::digest(json.as_bytes()).into());
        (json, hash)
    }

    /// Reads what [`Self::to_stored`] gave, of this version or an older one.
    ///
    /// # Errors
    /// [`PlanFormatError`].
    pub fn from_stored(json: &str) -> Result<Self, PlanFormatError> {
        #[derive(Deserialize)]
        struct Probe {
            version: u32,
        }
        let Probe { version } = serde_json::from_str(json)?;
        if version > PLAN_VERSION {
            return Err(PlanFormatError::Version { found: version });
        }
        Ok(serde_json::from_str(json)?)
    }

    /// A step by its index.
    ///
    /// # Panics
    /// When the index is not of this plan: indexes come from the plan itself or from rows checked on load.
    pub fn step(&self, index: u32) -> &PlanStep {
        &self.steps[index as usize]
    }

    /// The index of a step by its name.
    pub fn step_index(&self, name: &str) -> Option<u32> {
        self.steps
            .iter()
            .position(|step| step.name.as_str() == name)
            .and_then(|index| u32::try_from(index).ok())
    }

    /// Steps that no other step waits for: their outputs are the job's output.
    pub fn terminal_steps(&self) -> impl Iterator<Item = (u32, &PlanStep)> {
        (0_u32..).zip(&self.steps).filter(|(_, step)| step.dependents.is_empty())
    }
}
