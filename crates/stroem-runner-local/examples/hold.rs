//! A worker in miniature for the crash tests: runs one script under a keeper until it is killed.

use std::{collections::BTreeMap, path::PathBuf};

use stroem_core::{
    AttemptKey, AttemptNumber, Fence, HumanDuration, JobId, Language, LeaseKey, Resources, RunnerKind,
    ScriptBody, ScriptSpec, StepRun, StepSpec,
};
use stroem_runner::{RunRequest, Runner, StepIdentity};
use stroem_runner_local::{LocalRunner, LocalRunnerOptions, keeper};

#[expect(clippy::print_stdout, reason = "the test reads it")]
fn main() {
    keeper::maybe_run_as_keeper();
    let keeper = keeper::Keeper::spawn().expect("the keeper starts");
    println!("{}", keeper.pid().expect("it runs"));
    let mut arguments = std::env::args().skip(1);
    let scratch = PathBuf::from(arguments.next().expect("a directory"));
    let text = arguments.next().expect("a script");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let options =
        LocalRunnerOptions { path: "/usr/bin:/bin".to_owned(), lang: "C".to_owned(), keeper: Some(keeper) };
    let script = ScriptSpec {
        runner: RunnerKind::Local,
        language: Language::Shell,
        body: ScriptBody::Inline(text),
        interpreter: None,
        args: Vec::new(),
        dependencies: Vec::new(),
        manifest: None,
    };
    let attempt = AttemptKey { job: JobId::from_bytes([3; 16]), step: 0, attempt: AttemptNumber(1) };
    let request = RunRequest {
        lease: LeaseKey { attempt, fence: Fence(i64::from(std::process::id())) },
        identity: StepIdentity {
            workspace: "w".parse().expect("a name"),
            task: "t".parse().expect("a name"),
            step: "s".parse().expect("a name"),
        },
        spec: StepSpec {
            run: StepRun::Script(script),
            env: BTreeMap::new(),
            timeout: None,
            resources: Resources::default(),
            container: stroem_core::Container::default(),
            workdir: None,
            secrets: Vec::new(),
        },
        workspace: None,
        packages: scratch.join("../packages"),
        download: None,
        scratch,
        passed_env: BTreeMap::new(),
        grace: HumanDuration::from_secs(10),
    };
    runtime.block_on(async {
        let (events, _listening) = tokio::sync::mpsc::channel(64);
        let (_stop, receiver) = tokio::sync::watch::channel(None);
        let runner = LocalRunner::new(options).expect("a runner");
        runner.run(request, events, receiver).await;
    });
}
