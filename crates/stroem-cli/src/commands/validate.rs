//! `stroem validate`

use std::path::PathBuf;

use serde_json::json;
use stroem_api::{ApiClient, public::WorkerInfo};
use stroem_core::Tag;
use stroem_workflow::{Diagnostic, Severity, WorkerTags, Workspace, diagnostic};

use crate::{
    compose::files,
    exit::Exit,
    failure::Failure,
    remote::MaybeRemote,
    runtime,
    terminal::{Format, Terminal},
};

/// Options of `stroem validate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Validate {
    /// The folder with `.workflows`
    #[arg(default_value = ".")]
    path: PathBuf,
    #[command(flatten)]
    remote: MaybeRemote,
}

impl Validate {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        let client = self.remote.client()?;
        let files = files::workflow_files(&self.path)?;
        let workspace = stroem_workflow::load(&files);
        let unasked = match client.map(|client| check_tags(&client, &workspace)) {
            None => Ok(Vec::new()),
            Some(asked) => asked,
        };
        let (routing, unasked) = match unasked {
            Ok(found) => (found, None),
            Err(failure) => (Vec::new(), Some(failure)),
        };
        let mut problems = workspace.diagnostics.clone();
        problems.extend(routing);
        problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        show(terminal, files.len(), workspace.tasks.len(), &problems)?;
        match unasked {
            // What the files have is told first: that the server did not answer takes nothing from it.
            Some(failure) if errors(&problems) == 0 => Err(failure),
            Some(failure) => {
                terminal.note(&failure.text(terminal.color_err()));
                Ok(Exit::Failed)
            }
            None if errors(&problems) == 0 => Ok(Exit::Done),
            None => Ok(Exit::Failed),
        }
    }
}

fn errors(problems: &[Diagnostic]) -> usize {
    problems.iter().filter(|problem| problem.severity == Severity::Error).count()
}

fn show(terminal: &Terminal, files: usize, tasks: usize, problems: &[Diagnostic]) -> Result<(), Failure> {
    let errors = errors(problems);
    match terminal.format() {
        Format::Json => terminal.json(&json!({
            "files": files,
            "tasks": tasks,
            "errors": errors,
            "diagnostics": problems,
        })),
        Format::Text => {
            for problem in problems {
                terminal.result(&format!("{}\n", diagnostic::render(problem, terminal.color_out())))?;
            }
            if let Some(first) = problems.iter().min_by_key(|problem| problem.severity) {
                terminal.result(&format!("more about a code: stroem explain {}\n", first.code))?;
            }
            let warnings = problems.len() - errors;
            terminal.result(&format!(
                "{files} file(s), {tasks} task(s): {errors} error(s), {warnings} warning(s)\n"
            ))
        }
    }
}

/// Asks the server which workers it has.
fn check_tags(client: &ApiClient, workspace: &Workspace) -> Result<Vec<Diagnostic>, Failure> {
    let workers = runtime::asking(async { Ok(client.workers().await?) })?;
    let active: Vec<WorkerTags> =
        workers.into_iter().filter(|worker| worker.status == "active").map(tags_of).collect();
    Ok(workspace.check_tags(&active))
}

fn tags_of(worker: WorkerInfo) -> WorkerTags {
    // A tag that this program cannot read belongs to no step that it can read.
    let tags = worker.tags.iter().filter_map(|tag| Tag::new(tag).ok()).collect();
    WorkerTags { name: worker.name, tags, exclusive: worker.exclusive }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::testing::{self, Answer, FakeServer};

    fn worker(name: &str, status: &str, tags: &[&str]) -> Value {
        json!({
            "id": testing::JOB, "name": name, "status": status, "tags": tags, "withdrawn_tags": [],
            "exclusive": false, "max_concurrent": 4, "running": [], "version": "0.1.0",
            "registered_at": testing::start(), "last_seen": testing::start(),
        })
    }

    fn workspace() -> Workspace {
        let text = "tasks:\n  t:\n    flow:\n      train: { type: script, script: date, tags: [gpu] }\n";
        let path = ".workflows/main.yaml".to_owned();
        stroem_workflow::load(&[stroem_workflow::SourceFile { path, text: text.to_owned() }])
    }

    #[test]
    fn only_active_workers_count() {
        let workers = [worker("a", "active", &["script"]), worker("b", "gone", &["script", "gpu"])];
        let server = FakeServer::new([Answer::json(&workers)]);
        let found = check_tags(&server.client(), &workspace()).unwrap();
        assert_eq!(server.asked(), ["GET /api/workers"]);
        let [problem] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((problem.code, problem.line, problem.column), ("no_matching_worker", 4, 7));
        let expected = "the step `train` of `t` would wait and then fail: no active worker has its tag `gpu`";
        assert_eq!(problem.message, expected);
        let workers = [worker("a", "active", &["script"]), worker("b", "active", &["script", "gpu"])];
        let server = FakeServer::new([Answer::json(&workers)]);
        assert!(check_tags(&server.client(), &workspace()).unwrap().is_empty());
    }

    #[test]
    fn a_server_that_does_not_answer_is_no_empty_list_of_workers() {
        let server = FakeServer::new([Answer::Refuses]);
        let failure = check_tags(&server.client(), &workspace()).unwrap_err();
        assert_eq!(failure.exit(), Exit::Unreachable);
    }
}
