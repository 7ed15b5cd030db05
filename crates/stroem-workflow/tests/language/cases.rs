//! Case files: what loads, and what is said about what does not.

use std::{fs, path::PathBuf};

use stroem_workflow::{PlanError, Severity, diagnostic};

use crate::{cases, workspace};

fn each(kind: &str, mut check: impl FnMut(&str, &str)) {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(cases(kind)).expect("the cases").map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    paths.sort();
    assert!(paths.len() >= 60, "only {} cases in {kind}", paths.len());
    for path in paths {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        check(&name, &fs::read_to_string(&path).expect("readable"));
    }
}

#[test]
fn documented_files_load() {
    each("ok", |name, text| {
        let workspace = workspace(text);
        let errors: String = workspace
            .diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Error)
            .map(|diagnostic| diagnostic::render(diagnostic, false))
            .collect();
        assert!(errors.is_empty(), "{name}:\n{errors}");
        for task in workspace.tasks.values() {
            assert!(task.healthy, "{name}: {}", task.name);
            match workspace.plan(task.name.as_str()) {
                Ok(_) | Err(PlanError::Unsupported { .. }) => {}
                Err(error) => panic!("{name}: {error}"),
            }
        }
    });
}

#[test]
fn every_problem_is_shown_with_its_place_and_remedy() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(cases("error"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    each("error", |name, text| {
        let workspace = workspace(text);
        assert!(workspace.diagnostics.iter().any(|d| d.severity == Severity::Error), "{name} has no error");
        for problem in &workspace.diagnostics {
            assert!(problem.suggestion.is_some(), "{name}: without a remedy: {problem:?}");
        }
        let mut shown: Vec<String> =
            workspace.diagnostics.iter().map(|diagnostic| diagnostic::render(diagnostic, false)).collect();
        for task in workspace.tasks.values() {
            let health = if task.healthy { "works" } else { "is out of service" };
            shown.push(format!("task `{}` of {} {health}\n", task.name, task.file));
            assert_eq!(
                task.healthy,
                !matches!(workspace.plan(task.name.as_str()), Err(PlanError::Broken { .. }))
            );
        }
        settings.bind(|| insta::assert_snapshot!(name, shown.join("\n")));
    });
}

#[test]
fn warnings_name_what_cannot_run_yet() {
    let text = fs::read_to_string(cases("ok").join("not_yet_supported.yaml")).expect("readable");
    let workspace = workspace(&text);
    let shown: Vec<String> = workspace
        .tasks
        .values()
        .map(|task| match workspace.plan(task.name.as_str()) {
            Ok(_) => format!("{} runs", task.name),
            Err(error) => error.to_string(),
        })
        .collect();
    insta::assert_snapshot!("unsupported_tasks", shown.join("\n"));
    assert!(workspace.diagnostics.iter().all(|diagnostic| diagnostic.code == "not_yet_supported"));
}
