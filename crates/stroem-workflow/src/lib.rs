//! The workflow language, from YAML text to a plan that a job can run.
//!
//! Pure: files arrive as text, time and ids do not occur. The stages are
//! `yaml` (spanned tree) -> `lower` (typed model, all problems collected) -> `check` (across files) -> [`Workspace`]
//! -> [`Plan`] (resolved, hashed, pinned by a job). [`render`] fills templates in a plan's steps.

mod check;
pub mod codes;
mod conceal;
pub mod diagnostic;
pub mod input;
mod lower;
pub mod plan;
pub mod render;
mod report;
mod routing;
pub mod schema;
pub mod secrets;
mod table;
mod template;
pub mod workspace;
mod yaml;

pub use diagnostic::{Diagnostic, Severity};
pub use input::{InputField, InputProblem, InputType};
pub use plan::{ActionType, BodyInput, Plan, PlanAction, PlanHash, PlanStep, ScriptSource};
pub use render::{RenderError, Scope, StepResult, Visibility};
pub use routing::WorkerTags;
pub use secrets::SecretTree;
pub use workspace::{ActionEntry, PlanError, SourceFile, TaskEntry, TriggerEntry, Workspace, load};
