//! Requests for unit tests.

use std::collections::BTreeMap;

use stroem_core::{
    AttemptKey, AttemptNumber, Fence, HumanDuration, JobId, Language, LeaseKey, Resources, RunnerKind,
    ScriptBody, ScriptSpec, StepRun, StepSpec,
};
use stroem_runner::{RunRequest, StepIdentity};

/// A shell script that runs as a pod.
pub(crate) fn request(text: &str) -> RunRequest {
    let attempt = AttemptKey { job: JobId::from_bytes([7; 16]), step: 3, attempt: AttemptNumber(1) };
    RunRequest {
        lease: LeaseKey { attempt, fence: Fence(42) },
        identity: StepIdentity {
            workspace: "default".parse().expect("a name"),
            task: "task".parse().expect("a name"),
            step: "step".parse().expect("a name"),
        },
        spec: StepSpec {
            run: StepRun::Script(ScriptSpec {
                runner: RunnerKind::Pod,
                language: Language::Shell,
                body: ScriptBody::Inline(text.to_owned()),
                interpreter: None,
                args: Vec::new(),
                dependencies: Vec::new(),
                manifest: None,
            }),
            env: BTreeMap::new(),
            timeout: None,
            resources: Resources::default(),
            container: stroem_core::Container::default(),
            workdir: None,
            secrets: Vec::new(),
        },
        workspace: None,
        download: None,
        packages: "/nonexistent".into(),
        scratch: "/nonexistent".into(),
        passed_env: BTreeMap::new(),
        grace: HumanDuration::from_secs(2),
    }
}
