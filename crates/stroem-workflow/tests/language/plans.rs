//! Plans: order, graph, tags, references; storage.

use std::{fs, path::Path};

use serde_json::json;
use stroem_workflow::{BodyInput, Plan, PlanError};

use crate::{cases, healthy, workspace};

fn case(name: &str) -> String {
    fs::read_to_string(cases("ok").join(format!("{name}.yaml"))).expect("readable")
}

fn plan(name: &str, task: &str) -> Plan {
    healthy(&case(name)).plan(task).expect("a plan")
}

#[test]
fn steps_keep_the_order_of_writing_and_know_both_directions() {
    let plan = plan("reference_and_inline", "hello");
    let names: Vec<&str> = plan.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["say-hello", "shout", "report"]);
    assert_eq!(plan.steps[1].depends_on, [0]);
    assert_eq!(plan.steps[0].dependents, [1]);
    assert_eq!(plan.terminal_steps().map(|(index, _)| index).collect::<Vec<_>>(), [2]);
    assert_eq!(plan.steps[0].body_input, BodyInput::Step);
    assert_eq!(plan.steps[1].body_input, BodyInput::JobThenStep);
    assert_eq!(plan.timeout.map(|t| t.to_string()).as_deref(), Some("1h30m"));
}

#[test]
fn references_are_found_in_both_spellings() {
    let plan = plan("reference_and_inline", "hello");
    assert_eq!(
        (plan.steps[1].references.as_slice(), plan.steps[1].body_references.as_slice()),
        (&[0][..], &[][..])
    );
    assert_eq!(
        (plan.steps[2].references.as_slice(), plan.steps[2].body_references.as_slice()),
        (&[][..], &[0][..])
    );
}

#[test]
fn a_dynamic_index_refers_to_every_step_before() {
    assert_eq!(plan("dynamic_step_access", "t").steps[2].body_references, [0, 1]);
}

#[test]
fn required_tags_are_what_the_action_needs_and_both_lists() {
    for (name, task, step, tags) in [
        ("minimal", "hello", 0, "script"),
        ("resources_and_tags", "train", 0, "a100,docker,gpu"),
        ("docker_and_pod", "all", 0, "docker"),
        ("docker_and_pod", "all", 1, "kubernetes"),
        ("docker_and_pod", "all", 2, "kubernetes"),
    ] {
        assert_eq!(plan(name, task).step(step).required_tags.queue_key(), tags, "{name} {step}");
    }
}

#[test]
fn required_tags_follow_type_and_runner() {
    for (action, tags) in [
        ("type: script, script: 'true'", "script"),
        ("type: script, script: 'true', runner: local", "script"),
        ("type: script, script: 'true', runner: docker", "docker"),
        ("type: script, script: 'true', runner: pod", "kubernetes"),
        ("type: docker, image: busybox", "docker"),
        ("type: pod, image: busybox", "kubernetes"),
    ] {
        let text = format!(
            "actions:\n  a: {{ {action} }}\ntasks:\n  t:\n    flow:\n      plain: {{ action: a }}\n      gpu: {{ action: a, tags: [gpu] }}\n"
        );
        let plan = healthy(&text).plan("t").expect("a plan");
        let found: Vec<String> = plan.steps.iter().map(|step| step.required_tags.queue_key()).collect();
        let mut with_gpu = [tags, "gpu"];
        with_gpu.sort_unstable();
        assert_eq!(found, [tags.to_owned(), with_gpu.join(",")], "{action}");
    }
}

#[test]
fn a_steps_timeout_goes_before_its_actions() {
    let text = "
actions:
  a: { type: script, script: 'true', timeout: 5m }
tasks:
  t:
    flow:
      own: { action: a, timeout: 1m }
      inherited: { action: a }
";
    let plan = healthy(text).plan("t").expect("a plan");
    let timeouts: Vec<_> = plan.steps.iter().map(|step| step.timeout.expect("set").to_string()).collect();
    assert_eq!(timeouts, ["1m", "5m"]);
}

#[test]
fn an_unknown_task_is_suggested() {
    let error = healthy(&case("minimal")).plan("helo").expect_err("unknown");
    assert_eq!(error.to_string(), "there is no task `helo`; did you mean `hello`?");
}

#[test]
fn a_broken_task_blames_the_file_of_its_action() {
    let text = fs::read_to_string(cases("error").join("broken_action_file.yaml")).expect("readable");
    let Err(PlanError::Broken { diagnostics, .. }) = workspace(&text).plan("t") else { panic!("not broken") };
    assert!(
        diagnostics.iter().all(|diagnostic| diagnostic.file == ".workflows/actions.yaml"),
        "{diagnostics:?}"
    );
}

#[test]
fn entries_show_what_lists_need() {
    let workspace = healthy(&case("mode_and_folder"));
    let folder = |name: &str| workspace.tasks[name].folder.clone();
    assert_eq!(folder("load").as_deref(), Some("team/etl"));
    assert_eq!(folder("named").as_deref(), Some("elsewhere"));
    let workspace = healthy(&case("triggers"));
    assert_eq!(workspace.tasks["nightly"].triggers[1]["cron"], "0 3 * * *");
    let workspace = healthy(&case("reference_and_inline"));
    let entry = &workspace.tasks["hello"];
    assert_eq!(entry.input["loud"], json!({ "type": "boolean", "required": false, "default": false }));
    assert_eq!(entry.flow["shout"]["depends_on"], json!(["say-hello"]));
    assert_eq!(entry.flow["say-hello"]["action"], "greet");
    assert_eq!(entry.flow["say-hello"]["runner"], "local");
}

#[test]
fn the_stored_plan_of_version_1_still_loads() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/plan-v1.json");
    let stored = fs::read_to_string(&path).expect("the golden file");
    let plan = Plan::from_stored(stored.trim_end()).expect("version 1 loads");
    let (again, hash) = plan.to_stored();
    assert_eq!(again, stored.trim_end());
    assert_eq!(plan.to_stored().1, hash);
}

#[test]
fn equal_yaml_has_an_equal_hash_and_a_change_does_not() {
    let hash = |text: &str| healthy(text).plan("hello").expect("a plan").to_stored().1;
    let text = case("minimal");
    assert_eq!(hash(&text), hash(&format!("# a comment\n{text}")));
    assert_ne!(hash(&text), hash(&text.replace("echo hello", "echo bye")));
}

#[test]
fn a_newer_plan_is_refused_by_its_version() {
    let (json, _) = plan("minimal", "hello").to_stored();
    let newer = json.replacen("\"version\":1", "\"version\":2", 1);
    assert!(Plan::from_stored(&newer).expect_err("newer").to_string().contains("version 2"));
}
