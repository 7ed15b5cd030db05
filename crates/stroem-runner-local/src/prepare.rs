//! What is on disk before a step starts: its directories, its copy of the workspace, its script.
//!
//! ```text
//! <scratch>/workspace/   the copy; STROEM_WORKSPACE_DIR and the working directory
//! <scratch>/home/        HOME
//! <scratch>/tmp/         TMPDIR
//! <scratch>/script.sh    an inline script (.py, .js, ...): in a file, so that no process list shows it
//! <scratch>/packages.sh  installs the script's packages, if it has some
//! <scratch>/output       STROEM_OUTPUT, if the step writes it
//! ```

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use stroem_core::{Language, Outcome, ScriptBody, ScriptSpec, StepRun};
use stroem_runner::{Packages, RunRequest, WithPackages, Within, compiled};

use crate::{
    command,
    copy::{Copier, CopyError},
    launch::Launch,
    runner::LocalRunnerOptions,
    toolchain::Toolchains,
};

/// What every preparation needs.
#[derive(Debug)]
pub(crate) struct Preparer {
    pub(crate) options: LocalRunnerOptions,
    pub(crate) toolchains: Toolchains,
    pub(crate) copier: Copier,
}

/// A step that only has to be started.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) launch: Launch,
    /// The file that a step may write its output to.
    pub(crate) output_file: PathBuf,
}

/// Where an attempt's things are.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) scratch: PathBuf,
    pub(crate) workspace: PathBuf,
    pub(crate) home: PathBuf,
    pub(crate) tmp: PathBuf,
    pub(crate) output_file: PathBuf,
}

impl Layout {
    fn of(scratch: &Path) -> Self {
        Self {
            scratch: scratch.to_owned(),
            workspace: scratch.join("workspace"),
            home: scratch.join("home"),
            tmp: scratch.join("tmp"),
            output_file: scratch.join("output"),
        }
    }
}

impl Preparer {
    /// Lays everything out. Blocking. Gives up when `stop` is set; who sets it no longer cares for the answer.
    pub(crate) fn prepare(&self, request: &RunRequest, stop: &AtomicBool) -> Result<Prepared, Outcome> {
        let StepRun::Script(script) = &request.spec.run else {
            return Err(Outcome::RunnerError { message: "the local runner runs scripts only".to_owned() });
        };
        let layout = Layout::of(&request.scratch);
        self.lay_out(request.workspace.as_deref(), &layout, stop)?;
        let directory = match request.spec.workdir.as_deref() {
            None => layout.workspace.clone(),
            Some(path) => Within::Workdir.find(&layout.workspace, path)?,
        };
        let file = script_file(script, &layout)?;
        let mut environment = command::environment(request, &self.options, &layout);
        if let Some((name, dir)) = compiled(script.language, &request.packages.to_string_lossy()) {
            environment.entry(name.to_owned()).or_insert(dir);
        }
        let path = environment.get("PATH").map_or(self.options.path.as_str(), String::as_str);
        let mut interpreter = match &script.interpreter {
            Some(text) => command::interpreter(text, path, &directory)?,
            None => self.toolchain(script.language, path)?,
        };
        if !script.dependencies.is_empty() {
            let shell = self.toolchain(Language::Shell, path)?;
            let with = packages(script, &interpreter, request)?;
            interpreter = install(with, shell, &layout, &mut environment)?;
        }
        let launch = command::launch(&interpreter, &file, &script.args, &environment, &directory)?;
        Ok(Prepared { launch, output_file: layout.output_file })
    }

    fn toolchain(&self, language: Language, path: &str) -> Result<Vec<String>, Outcome> {
        self.toolchains.of(language, path).map_err(|message| Outcome::RunnerError { message })
    }

    fn lay_out(&self, workspace: Option<&Path>, layout: &Layout, stop: &AtomicBool) -> Result<(), Outcome> {
        let disk = |error: io::Error| disk_outcome(&layout.scratch, &error);
        fs::create_dir_all(&layout.scratch).map_err(disk)?;
        fs::create_dir(&layout.home).map_err(disk)?;
        fs::create_dir(&layout.tmp).map_err(disk)?;
        match workspace {
            None => fs::create_dir(&layout.workspace).map_err(disk),
            Some(from) => self.copier.tree(from, &layout.workspace, stop).map_err(|error| match error {
                CopyError::Stopped => Outcome::Cancelled,
                CopyError::Io(error) => disk(error),
            }),
        }
    }
}

fn packages(
    script: &ScriptSpec,
    interpreter: &[String],
    request: &RunRequest,
) -> Result<WithPackages, Outcome> {
    let (cache, scratch) = (request.packages.to_string_lossy(), request.scratch.to_string_lossy());
    let packages = Packages {
        language: script.language,
        dependencies: &script.dependencies,
        interpreter,
        cache: &cache,
        scratch: &scratch,
    };
    packages.prepare().map_err(|message| invalid(&message))
}

/// The command that installs the packages first, if the interpreter does not do it by itself.
fn install(
    with: WithPackages,
    shell: Vec<String>,
    layout: &Layout,
    environment: &mut BTreeMap<String, String>,
) -> Result<Vec<String>, Outcome> {
    environment.extend(with.environment.into_iter().map(|(name, value)| (name.to_owned(), value)));
    let Some(prelude) = with.prelude else { return Ok(with.interpreter) };
    let file = layout.scratch.join("packages.sh");
    fs::write(&file, prelude).map_err(|error| disk_outcome(&layout.scratch, &error))?;
    let file = file.to_string_lossy().into_owned();
    Ok(shell.into_iter().chain([file]).chain(with.interpreter).collect())
}

fn script_file(script: &ScriptSpec, layout: &Layout) -> Result<PathBuf, Outcome> {
    match &script.body {
        ScriptBody::Inline(text) => {
            let path = layout.scratch.join(format!("script{}", script.language.file_ending()));
            fs::write(&path, text).map_err(|error| disk_outcome(&layout.scratch, &error))?;
            Ok(path)
        }
        ScriptBody::File(path) => Within::Source.find(&layout.workspace, path),
    }
}

pub(crate) fn invalid(message: &str) -> Outcome {
    Outcome::InvalidInput { message: message.to_owned() }
}

/// An error of the disk: full, or else the runner's.
pub(crate) fn disk_outcome(path: &Path, error: &io::Error) -> Outcome {
    let message = format!("{}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Outcome::DiskFull { message },
        _ => Outcome::RunnerError { message },
    }
}
