//! The scenarios of the repository through the engine alone: steps end as the expectation says they do, and everything
//! that the engine decides by itself must come out the same.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;
use serde_json::{Map, Value};
use stroem_core::{Exit, Outcome, StepStatus};
use stroem_engine::Event;
use stroem_workflow::{SourceFile, load};

use crate::world::World;

#[derive(Deserialize)]
struct Expected {
    task: String,
    input: Map<String, Value>,
    status: String,
    steps: BTreeMap<String, ExpectedStep>,
}

#[derive(Deserialize)]
struct ExpectedStep {
    status: String,
    output: Option<Value>,
}

fn check(dir: &Path) {
    let read = |path: &str| fs::read_to_string(dir.join(path)).expect("a scenario has this file");
    let expected: Expected = serde_json::from_str(&read("expected.json")).expect("an expectation");
    let file = SourceFile { path: ".workflows/main.yaml".to_owned(), text: read(".workflows/main.yaml") };
    let workspace = load(&[file]);
    let plan = std::sync::Arc::new(workspace.plan(&expected.task).expect("a plan"));
    let input = workspace.check_input(&plan, &expected.input).expect("an input");
    let mut world = World::with_input(&plan, input);
    while let Some(step) = world.queued.first().copied() {
        let lease = world.claim(step).expect("it is queued");
        let wanted = &expected.steps[plan.step(step).name.as_str()];
        let outcome = match wanted.status.as_str() {
            "completed" => Outcome::Succeeded,
            // `a.error` is part of what later steps see.
            "failed" => Outcome::Failed { exit: Exit::ExitCode(7) },
            other => panic!("{}: the engine made a step ready that ends as {other}", dir.display()),
        };
        world.commit(vec![Event::AttemptEnded { lease, outcome, output: wanted.output.clone() }]);
    }
    assert_eq!(world.job.status.as_str(), expected.status, "{}", dir.display());
    for (name, step) in &expected.steps {
        let status: StepStatus = step.status.parse().expect("a status");
        assert_eq!(world.status(name), status, "{}: {name}", dir.display());
    }
}

#[test]
fn every_scenario_comes_out_as_expected() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let dirs: Vec<_> =
        fs::read_dir(root).expect("scenarios").map(|entry| entry.expect("readable").path()).collect();
    assert!(dirs.len() >= 30);
    dirs.iter().for_each(|dir| check(dir));
}
