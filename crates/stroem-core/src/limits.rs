//! Every limit by name. Reaching one is a clear error or a marked cut, never silence.

use crate::{ByteSize, HumanDuration};

/// Characters in a name of a workspace, task, action, step or worker.
pub const NAME_LENGTH: usize = 128;
/// Characters in a tag.
pub const TAG_LENGTH: usize = 63;
/// Steps in one task's flow.
pub const STEPS_PER_TASK: usize = 10_000;
/// Items of one `for_each`.
pub const LOOP_ITEMS: usize = 10_000;
/// Bytes of one workflow file.
pub const WORKFLOW_FILE: ByteSize = ByteSize::from_mib(4);
/// Nesting of maps and lists in a workflow file.
pub const YAML_DEPTH: usize = 64;
/// Nodes in a workflow file after aliases are expanded.
pub const YAML_NODES: usize = 1_000_000;
/// Instructions one template may execute.
pub const TEMPLATE_FUEL: u64 = 100_000;
/// Bytes one template may render to.
pub const TEMPLATE_OUTPUT: ByteSize = ByteSize::from_mib(4);
/// Bytes of a job's input as JSON, and of an API request body.
pub const REQUEST_BODY: ByteSize = ByteSize::from_mib(4);
/// Bytes of one log line; longer lines are split and marked.
pub const LOG_LINE: ByteSize = ByteSize(256 << 10);
/// Bytes of a step's output.
pub const STEP_OUTPUT: ByteSize = ByteSize::from_mib(4);
/// Bytes of one attempt's log; head and tail are kept, the middle is cut and the cut is marked.
pub const STEP_LOG: ByteSize = ByteSize(1 << 30);
/// Bytes of uncompressed lines in one log chunk.
pub const LOG_CHUNK: ByteSize = ByteSize(64 << 10);
/// The longest a line waits for its chunk to fill.
pub const LOG_CHUNK_AGE_MS: u64 = 200;
/// Bytes of a workspace's files in one revision.
pub const WORKSPACE: ByteSize = ByteSize::from_mib(512);
/// Files, folders and links of a workspace.
pub const WORKSPACE_FILES: usize = 200_000;
/// The longest `timeout` of a step.
pub const STEP_TIMEOUT_MAX: HumanDuration = HumanDuration::from_secs(24 * 3600);
/// The longest `timeout` of a task.
pub const TASK_TIMEOUT_MAX: HumanDuration = HumanDuration::from_secs(7 * 24 * 3600);
/// Between TERM and KILL when a step is stopped.
pub const STOP_GRACE: HumanDuration = HumanDuration::from_secs(10);
/// How long pipes are drained after the main process of a step ended.
pub const DRAIN: HumanDuration = HumanDuration::from_secs(2);
/// How often an attempt lost to the platform is queued again by itself.
pub const INFRASTRUCTURE_REQUEUES: u32 = 2;
/// The shortest secret that is masked; shorter ones are refused with a message.
pub const SECRET_LENGTH_MIN: usize = 4;
/// Jobs on one page of the job list.
pub const JOB_PAGE: u32 = 500;
