//! What is on disk before a step starts: its directories, its copy of the workspace, its script.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use stroem_core::{Outcome, ScriptBody, ScriptSpec, StepRun};
use stroem_runner::{ATTEMPT_VARIABLE, RunRequest};
use tokio::process::Command;

use crate::{copy, runner::LocalRunnerOptions, toolchain::Toolchains};

/// A step that only has to be started.
pub(crate) struct Prepared {
    pub(crate) command: Command,
    /// The file that a step may write its output to.
    pub(crate) output_file: PathBuf,
}

/// Lays everything out. Blocking.
pub(crate) fn prepare(
    request: &RunRequest,
    options: &LocalRunnerOptions,
    toolchains: &Toolchains,
) -> Result<Prepared, Outcome> {
    let StepRun::Script(script) = &request.spec.run else {
        let message = "the local runner runs scripts only".to_owned();
        return Err(Outcome::RunnerError { message });
    };
    let scratch = &request.scratch;
    let disk = |error: std::io::Error| disk_outcome(scratch, &error);
    let workspace = scratch.join("workspace");
    for dir in ["home", "tmp"] {
        fs::create_dir_all(scratch.join(dir)).map_err(disk)?;
    }
    match &request.workspace {
        Some(from) => copy::tree(from, &workspace).map_err(disk)?,
        None => fs::create_dir(&workspace).map_err(disk)?,
    }
    let directory = inside(&workspace, request.spec.workdir.as_deref().unwrap_or("."), "workdir")?;
    if !directory.is_dir() {
        let message = format!(
            "workdir: the workspace has no directory `{}`",
            request.spec.workdir.as_deref().unwrap_or(".")
        );
        return Err(Outcome::InvalidInput { message });
    }
    let program = program(script, scratch, &workspace)?;
    let interpreter = match &script.interpreter {
        Some(text) => text.split_whitespace().map(ToOwned::to_owned).collect(),
        None => toolchains.of(script.language).map_err(|message| Outcome::RunnerError { message })?,
    };
    let output_file = scratch.join("output");
    let (first, rest) = interpreter
        .split_first()
        .ok_or_else(|| Outcome::InvalidInput { message: "interpreter: it names no program".to_owned() })?;
    let mut command = Command::new(first);
    command.args(rest).arg(program).args(&script.args).current_dir(directory);
    environment(&mut command, request, options, &workspace, &output_file);
    Ok(Prepared { command, output_file })
}

fn program(script: &ScriptSpec, scratch: &Path, workspace: &Path) -> Result<PathBuf, Outcome> {
    match &script.body {
        ScriptBody::Inline(text) => {
            let path = scratch.join(format!("script{}", script.language.file_ending()));
            fs::write(&path, text).map_err(|error| disk_outcome(scratch, &error))?;
            Ok(path)
        }
        ScriptBody::File(path) => {
            let file = inside(workspace, path, "source")?;
            if file.is_file() {
                Ok(file)
            } else {
                Err(Outcome::InvalidInput { message: format!("source: the workspace has no file `{path}`") })
            }
        }
    }
}

/// A path inside the workspace; one that leads out is the user's error.
fn inside(workspace: &Path, path: &str, key: &str) -> Result<PathBuf, Outcome> {
    let relative = Path::new(path);
    let stays = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if stays {
        Ok(workspace.join(relative))
    } else {
        Err(Outcome::InvalidInput { message: format!("{key}: `{path}` is not a path inside the workspace") })
    }
}

fn environment(
    command: &mut Command,
    request: &RunRequest,
    options: &LocalRunnerOptions,
    workspace: &Path,
    output_file: &Path,
) {
    let identity = &request.identity;
    command
        .env_clear()
        .env("PATH", &options.path)
        .env("LANG", &options.lang)
        .env("HOME", request.scratch.join("home"))
        .env("TMPDIR", request.scratch.join("tmp"))
        .envs(&request.passed_env)
        .envs(&request.spec.env)
        .env("STROEM_JOB_ID", request.lease.attempt.job.to_string())
        .env("STROEM_TASK_NAME", identity.task.as_str())
        .env("STROEM_STEP_NAME", identity.step.as_str())
        .env("STROEM_WORKSPACE", identity.workspace.as_str())
        .env("STROEM_WORKSPACE_DIR", workspace)
        .env("STROEM_OUTPUT", output_file)
        .env(ATTEMPT_VARIABLE, request.marker());
}

/// An error of the disk: full, or else the runner's.
pub(crate) fn disk_outcome(path: &Path, error: &std::io::Error) -> Outcome {
    let message = format!("{}: {error}", path.display());
    if error.kind() == std::io::ErrorKind::StorageFull {
        Outcome::DiskFull { message }
    } else {
        Outcome::RunnerError { message }
    }
}
