//! The program `stroem-worker`: reads `STROEM_CONFIG`, names the runners of this build, and runs the worker until
//! SIGTERM or SIGINT. A second signal ends it at once. Exit codes: 0 drained, 2 the configuration is wrong, 5 the
//! server refuses the worker, 6 this machine does not allow it.

use std::{io::IsTerminal, path::PathBuf, process::ExitCode, sync::Arc};

use stroem_api::{ControlPlane, HttpTransport};
use stroem_config::Source;
use stroem_runner::Runner;
use stroem_runner_local::{LocalRunner, LocalRunnerOptions, become_subreaper, keeper};
use stroem_worker::{Handle, Options, Worker, WorkerConfig, WorkerError};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

const EXIT_CONFIG: u8 = 2;
const EXIT_REFUSED: u8 = 5;
const EXIT_ENVIRONMENT: u8 = 6;
/// The worker itself waits most of the time; steps are processes of their own.
const THREADS: usize = 2;

/// A message for the terminal and the exit code.
struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    fn environment(what: &str, error: impl std::fmt::Display) -> Self {
        Self { message: format!("{what}: {error}"), code: EXIT_ENVIRONMENT }
    }
}

fn main() -> ExitCode {
    keeper::maybe_run_as_keeper();
    start_logging();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { message, code }) => {
            tracing::error!("{message}");
            ExitCode::from(code)
        }
    }
}

fn run() -> Result<(), Failure> {
    let environment = environment();
    let config = read_config(&environment)?;
    let transport = HttpTransport::new(&config.server_url)
        .map_err(|error| Failure { message: format!("`server_url`: {error}"), code: EXIT_CONFIG })?;
    let mut runners = vec![local_runner(&environment)?];
    let described = stroem_worker::runners(&config);
    runners.extend(described.map_err(|error| Failure { message: error.to_string(), code: EXIT_CONFIG })?);
    let options = Options::new(&config, runners);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .map_err(|error| Failure::environment("the runtime cannot be started", error))?;
    let ended = runtime.block_on(serve(options, ControlPlane::new(Arc::new(transport))));
    runtime.shutdown_background();
    ended
}

async fn serve(options: Options, control: ControlPlane) -> Result<(), Failure> {
    let worker = Worker::new(options, control).map_err(|error| failure(&error))?;
    let handle = worker.handle();
    let shutdown = CancellationToken::new();
    let signals = signals().map_err(|error| Failure::environment("signals cannot be received", error))?;
    tokio::select! {
        ended = worker.run(shutdown.clone()) => ended.map_err(|error| failure(&error)),
        () = watch_signals(signals, shutdown.clone(), handle) => Ok(()),
    }
}

fn signals() -> std::io::Result<[Signal; 2]> {
    Ok([signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?])
}

/// The first signal drains, the second one ends. Never returns.
async fn watch_signals(
    [mut terminate, mut interrupt]: [Signal; 2],
    shutdown: CancellationToken,
    handle: Handle,
) {
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if shutdown.is_cancelled() {
            handle.end_at_once();
        } else {
            shutdown.cancel();
        }
    }
}

fn failure(error: &WorkerError) -> Failure {
    let code = match error {
        WorkerError::Token { .. } => EXIT_REFUSED,
        WorkerError::StateDir { .. }
        | WorkerError::StateDirInUse { .. }
        | WorkerError::CacheDir { .. }
        | WorkerError::Spool(_) => EXIT_ENVIRONMENT,
    };
    Failure { message: error.to_string(), code }
}

fn read_config(environment: &[(String, String)]) -> Result<WorkerConfig, Failure> {
    let file = variable(environment, "STROEM_CONFIG").unwrap_or_default();
    let text = if file.is_empty() {
        String::new()
    } else {
        let unreadable = |error| Failure { message: format!("{file}: {error}"), code: EXIT_CONFIG };
        std::fs::read_to_string(PathBuf::from(file)).map_err(unreadable)?
    };
    let name = if file.is_empty() { "the environment (STROEM_CONFIG names no file)" } else { file };
    let host_name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let source = Source { file: name, text: &text, environment };
    WorkerConfig::load(source, host_name.trim()).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure { message: problems.join("\n"), code: EXIT_CONFIG }
    })
}

fn local_runner(environment: &[(String, String)]) -> Result<Arc<dyn Runner>, Failure> {
    let subreaper =
        become_subreaper().map_err(|error| Failure::environment("orphans cannot be adopted", error));
    subreaper?;
    let keeper = keeper::Keeper::spawn()
        .map_err(|error| Failure::environment("the keeper cannot be started", error))?;
    let or = |name, fallback: &str| variable(environment, name).unwrap_or(fallback).to_owned();
    let options = LocalRunnerOptions {
        path: or("PATH", "/usr/local/bin:/usr/bin:/bin"),
        lang: or("LANG", "C.UTF-8"),
        keeper: Some(keeper),
    };
    let runner =
        LocalRunner::new(options).map_err(|error| Failure::environment("steps cannot be started", error))?;
    Ok(Arc::new(runner))
}

#[expect(clippy::disallowed_methods, reason = "the environment is read once, here")]
fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn variable<'a>(environment: &'a [(String, String)], name: &str) -> Option<&'a str> {
    environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn start_logging() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("STROEM_LOG").unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
}
