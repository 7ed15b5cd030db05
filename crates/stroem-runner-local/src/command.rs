//! The command line and the environment of a step.

use std::{
    collections::BTreeMap,
    ffi::CString,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use stroem_core::Outcome;
use stroem_runner::{RunRequest, words};

use crate::{
    launch::{Launch, LaunchError, Stage},
    prepare::{Layout, disk_outcome, invalid},
    runner::LocalRunnerOptions,
    toolchain,
};

/// All variables of a step; nothing is inherited. Later sources win: the runner's basics, what the worker's configuration
/// passes, the action's `env`, and above all what tells the step who it is.
pub(crate) fn environment(
    request: &RunRequest,
    options: &LocalRunnerOptions,
    layout: &Layout,
) -> BTreeMap<String, String> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let basics = [
        ("PATH", options.path.clone()),
        ("LANG", options.lang.clone()),
        ("HOME", text(&layout.home)),
        ("TMPDIR", text(&layout.tmp)),
    ];
    let places =
        [("STROEM_WORKSPACE_DIR", text(&layout.workspace)), ("STROEM_OUTPUT", text(&layout.output_file))];
    let owned = |(name, value): (&str, String)| (name.to_owned(), value);
    let mut all: BTreeMap<String, String> = basics.map(owned).into();
    let given = request.passed_env.iter().chain(&request.spec.env);
    all.extend(given.map(|(name, value)| (name.clone(), value.clone())));
    all.extend(request.reserved_env().map(owned));
    all.extend(places.map(owned));
    all
}

/// The words of an `interpreter:`, its program found: on the `PATH`, or below the working directory if it is a path.
pub(crate) fn interpreter(text: &str, path: &str, directory: &Path) -> Result<Vec<String>, Outcome> {
    let mut words = words::split(text).map_err(|error| invalid(&format!("interpreter: {error}")))?;
    let program = words.first_mut().ok_or_else(|| invalid("interpreter: it names no program"))?;
    let found: Option<PathBuf> = if program.contains('/') {
        Some(directory.join(&*program)).filter(|file| toolchain::is_program(file))
    } else {
        toolchain::find(program, path)
    };
    let found = found.ok_or_else(|| {
        let place = if program.contains('/') { String::new() } else { format!(" in {path}") };
        invalid(&format!("interpreter: this worker has no program `{program}`{place}"))
    })?;
    *program = found.to_string_lossy().into_owned();
    Ok(words)
}

/// Everything as the kernel takes it.
pub(crate) fn launch(
    interpreter: &[String],
    file: &Path,
    arguments: &[String],
    environment: &BTreeMap<String, String>,
    directory: &Path,
) -> Result<Launch, Outcome> {
    let zero = |what: &str| invalid(&format!("{what} cannot hold a zero byte"));
    let words = interpreter.iter().map(String::as_bytes).chain([file.as_os_str().as_bytes()]);
    let words = words.chain(arguments.iter().map(String::as_bytes));
    let arguments: Vec<CString> =
        words.map(CString::new).collect::<Result<_, _>>().map_err(|_| zero("args: an argument"))?;
    let mut variables = Vec::with_capacity(environment.len());
    for (name, value) in environment {
        if name.is_empty() || name.contains('=') {
            return Err(invalid(&format!("env: `{name}` cannot be the name of a variable")));
        }
        variables.push(CString::new(format!("{name}={value}")).map_err(|_| zero(&format!("env: `{name}`")))?);
    }
    let program = arguments.first().ok_or_else(|| invalid("interpreter: it names no program"))?.clone();
    let directory = CString::new(directory.as_os_str().as_bytes()).map_err(|_| zero("workdir: a path"))?;
    Ok(Launch { program, arguments, environment: variables, directory, birthplace: None, groups: Vec::new() })
}

/// What a failed start means.
pub(crate) fn launch_outcome(error: &LaunchError, request: &RunRequest) -> Outcome {
    let message = |text: &str| format!("{text}: {error}");
    match error.stage {
        Stage::Execute if error.error.kind() == std::io::ErrorKind::ArgumentListTooLong => {
            invalid("args and env are together larger than the system allows")
        }
        Stage::Execute => {
            Outcome::RunnerError { message: message("the script's interpreter cannot be started") }
        }
        Stage::Directory => invalid(&message("workdir: it cannot be entered")),
        Stage::Group => Outcome::RunnerError { message: message("a control group cannot be joined") },
        Stage::Clone | Stage::Setup => disk_outcome(&request.scratch, &error.error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &[&str], environment: &[(&str, &str)], message: &str) {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let made = launch(&["/bin/sh".to_owned()], Path::new("/s"), &arguments, &environment, Path::new("/"));
        assert_eq!(made.err().map(|outcome| outcome.to_string()).unwrap_or_default(), message);
    }

    #[test]
    fn what_the_kernel_cannot_take_is_the_users_error() {
        check(&["a b", ""], &[("A", "x=y")], "");
        check(&["a\0b"], &[], "args: an argument cannot hold a zero byte");
        check(&[], &[("A", "\0")], "env: `A` cannot hold a zero byte");
        check(&[], &[("A=B", "x")], "env: `A=B` cannot be the name of a variable");
        check(&[], &[("", "x")], "env: `` cannot be the name of a variable");
    }

    #[test]
    fn an_interpreter_is_found_on_the_path_or_below_the_working_directory() {
        let found = interpreter("sh -e", "/nonexistent:/bin", Path::new("/")).expect("every system has it");
        assert_eq!(found, ["/bin/sh", "-e"]);
        assert_eq!(interpreter("bin/sh", "", Path::new("/")).expect("there"), ["/bin/sh"]);
        let missing = interpreter("no-such", "/bin", Path::new("/")).expect_err("nowhere");
        assert_eq!(missing.to_string(), "interpreter: this worker has no program `no-such` in /bin");
    }
}
