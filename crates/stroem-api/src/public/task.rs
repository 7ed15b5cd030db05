//! Workspaces and tasks.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stroem_core::JobId;
use utoipa::ToSchema;

/// A workspace.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WorkspaceInfo {
    /// Its name.
    pub name: String,
    /// The revision that new jobs get; none while the workspace could not be read yet.
    pub revision: Option<String>,
    /// The number of its tasks, broken ones included.
    pub tasks: u64,
    /// Why it cannot be read, when it cannot.
    pub error: Option<String>,
    /// Problems in its workflow files.
    pub diagnostics: Vec<FileProblem>,
}

/// A problem in a workflow file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileProblem {
    /// `error` or `warning`.
    pub severity: String,
    /// A stable code.
    pub code: String,
    /// The file, relative to the workspace.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub suggestion: Option<String>,
    /// The source line.
    pub excerpt: String,
}

/// The answer to a refresh.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RefreshResponse {
    /// The revision after it.
    pub revision: String,
}

/// One line of the task list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TaskListItem {
    /// The task's key.
    pub id: String,
    /// The same.
    pub name: String,
    /// Its workspace.
    pub workspace: String,
    /// Its folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// `distributed`.
    pub mode: String,
    /// Whether a trigger names it.
    pub has_triggers: bool,
    /// `description:`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it can run.
    pub healthy: bool,
}

/// A task.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TaskDetail {
    /// Its key.
    pub name: String,
    /// Its workspace.
    pub workspace: String,
    /// `distributed`.
    pub mode: String,
    /// `description:`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Its input schema by field.
    #[schema(value_type = Object)]
    pub input: Value,
    /// Its steps by name.
    #[schema(value_type = Object)]
    pub flow: Value,
    /// Its triggers.
    #[schema(value_type = Vec<Object>)]
    pub triggers: Vec<Value>,
    /// Whether it can run.
    pub healthy: bool,
    /// Problems in the files it needs.
    pub diagnostics: Vec<FileProblem>,
}

/// What to run a task with.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecuteRequest {
    /// The job's input by field.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub input: Map<String, Value>,
}

/// The new job.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ExecuteResponse {
    /// Its id.
    #[schema(value_type = String, format = "uuid")]
    pub job_id: JobId,
}
