//! The trait and its contract.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use stroem_core::{AttemptKey, LeaseKey, Outcome, RunnerKind, Runtime};

use crate::{EventSender, RunRequest, StopReceiver};

/// The platform behind a runner cannot be used now. The worker withdraws the runner's tag, shows the reason and
/// asks again later; it does not exit. The text says what was tried and what the platform answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// Runs attempts of steps on one kind of platform.
///
/// # Lifecycle of one attempt
/// [`run`](Self::run) takes an attempt through all of it and returns what really happened:
///
/// 1. **prepare**: makes `request.scratch`, the attempt's own writable copy of the workspace in it (or the
///    platform's equal of both) and the script. Nothing of the user's runs. Ends with [`RunnerEvent::Prepared`].
/// 2. **start**: the user's command begins; [`RunnerEvent::Started`] follows at once. The worker arms the step's
///    time-out when it sees this event, so waiting for an image or a node never eats the step's time.
/// 3. **stream**: what the command prints goes out as [`RunnerEvent::Output`], in order within a stream, every byte
///    once, whatever the bytes are. The channel is bounded: when it is full the runner stops reading, so the
///    command is slowed down and nothing piles up in memory. A dropped receiver discards output and nothing else.
/// 4. **wait**: for the command's end or a stop. When the main process ended, what is still in flight is drained
///    for at most [`stroem_core::limits::DRAIN`]; then whatever keeps the streams open is killed and named in a
///    [`RunnerEvent::Note`], and so is everything else that the command left running.
/// 5. **stop**: when `stop` carries a reason, the whole tree gets TERM, `request.grace` later KILL, and is gone
///    within `request.grace` plus one second. The first reason counts and decides the outcome
///    ([`StopReason::outcome`]), even if the command ends with code 0 on its TERM. A command that had ended before
///    the stop arrived keeps its own outcome. A stop during *prepare* ends the attempt before the command begins.
///    A dropped stop sender means that no stop will come.
/// 6. **cleanup**: scratch and everything made on the platform are removed before `run` returns, whatever the
///    outcome.
///
/// All events are in the channel before `run` returns, `Started` before any output, and the last `Output` of a
/// stream before the outcome.
///
/// # The command's world
/// Script steps find the workspace's files, writable and their own, at `STROEM_WORKSPACE_DIR`, which is the working
/// directory unless `workdir` names a folder inside it. The environment holds `PATH`, `HOME`, `LANG`, `TMPDIR`,
/// `request.passed_env`, the step's `env` and, above all of them, the `STROEM_*` variables of
/// [`RunRequest::reserved_env`] and the paths `STROEM_WORKSPACE_DIR` and `STROEM_OUTPUT`; nothing of the worker's
/// own environment. Standard input is empty. When the command ended with code 0 and the file `STROEM_OUTPUT` is
/// not empty, the runner sends its text, line breaks replaced by spaces, as one more line of standard output with
/// the prefix `OUTPUT: `; whoever frames the stream checks the JSON and its size. A shell script has plain shell
/// semantics: no `set -e` is added.
///
/// # Outcomes
/// A user's mistake (a `workdir` outside the workspace, a missing `source`) is `InvalidInput`; a full disk is
/// `DiskFull`; whatever else the platform did not do is `RunnerError`, which is queued again elsewhere. `run` never
/// panics and never returns early because a receiver is gone.
///
/// # Concurrency
/// One runner serves many attempts at a time, each with its own key and scratch; all methods may be called
/// concurrently, except twice for one attempt.
///
/// # Adoption
/// What runs on a platform goes on without its worker. A runner of such a platform has a [`scope`](Self::scope), the
/// same for every worker that reaches the same things, and tells with [`RunnerEvent::Placed`] where an attempt runs,
/// as soon as another one could take it over: when nothing but the start is missing, or earlier if
/// [`adopt`](Self::adopt) can bring the rest. The worker tells the server. Then:
/// * [`StopReason::LetGo`] makes `run` and `adopt` return at once and leave everything as it is; they answer
///   `WorkerLost`, and any other outcome says that the attempt had ended before and is cleaned up.
/// * [`adopt`](Self::adopt), in any process, takes the attempt up where it is, not begun, running or ended, and then
///   is as `run` from *start* on: `Prepared`, `Started`, the **whole** output again from its first byte, the outcome
///   with its evidence, cleanup. Only the caller can tell how much of the output is stored, since it counts lines
///   after masking and framing, and both must see the stream from its beginning; it drops that much. A platform that
///   throws old output away gives a [`RunnerEvent::Mark`] now and then, and begins again at the mark of the runtime.
///   An attempt of which nothing is left ends as `WorkerLost`.
/// * The label of the attempt's lease keeps the fence under which it was made. The newest fence owns the thing, and
///   only the server knows that one. So nobody removes a thing that it does not run itself unless the server called
///   its attempt dead: [`leftovers`](Self::leftovers) finds, the server judges, [`cleanup`](Self::cleanup) removes.
///
/// # Crashes
/// The process of the worker may end at any point, and the future of `run` may be dropped at any point (which
/// counts as a crash: the runner kills what it started, and the caller owes a `cleanup`). Then:
/// * during *prepare*: a partial scratch directory, no process;
/// * between *start* and the end: what runs on this host dies with the worker; what runs on a platform carries the
///   attempt's key as a label, for adoption or sweep;
/// * during *cleanup*: a part of the same things.
///
/// [`cleanup`](Self::cleanup) removes what any of these left, for an attempt that this runner no longer runs. It is
/// idempotent, does nothing for an attempt that left nothing, and never touches another attempt.
#[async_trait]
pub trait Runner: Send + Sync {
    /// Which steps this runner takes.
    fn kind(&self) -> RunnerKind;

    /// Whether an attempt could be started now. Cheap enough to be asked every few seconds.
    ///
    /// # Errors
    /// [`Unavailable`] with the reason that people see.
    async fn health(&self) -> Result<(), Unavailable>;

    /// Where on this host the platform keeps what it fills the disk with, such as images; none when it is elsewhere or
    /// keeps nothing.
    async fn data_root(&self) -> Option<PathBuf> {
        None
    }

    /// Removes one thing that the platform can get again and that no attempt uses, the least recently used first; false
    /// when there is none. Only what came because of attempts of this runner is touched.
    async fn collect_one(&self) -> bool {
        false
    }

    /// Takes one attempt from prepare to cleanup.
    async fn run(&self, request: RunRequest, events: EventSender, stop: StopReceiver) -> Outcome;

    /// Names the platform among all platforms, when attempts outlive their worker there and it can be reached.
    async fn scope(&self) -> Option<String> {
        None
    }

    /// Takes a running, ended or not yet begun attempt from where it is to cleanup. `runtime` is that of its
    /// [`RunnerEvent::Placed`], with the last mark that was kept.
    async fn adopt(
        &self,
        runtime: &Runtime,
        request: RunRequest,
        events: EventSender,
        stop: StopReceiver,
    ) -> Outcome {
        drop((request, events, stop));
        Outcome::RunnerError { message: format!("{}: this runner takes nothing over", runtime.handle) }
    }

    /// What lies on the platform with our labels and is not run by this runner, by the leases that it was made under.
    ///
    /// # Errors
    /// [`Unavailable`].
    async fn leftovers(&self) -> Result<Vec<LeaseKey>, Unavailable> {
        Ok(Vec::new())
    }

    /// Removes what a crash left of an attempt.
    async fn cleanup(&self, attempt: AttemptKey, scratch: &Path);
}
