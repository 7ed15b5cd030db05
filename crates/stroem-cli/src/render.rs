//! Answers of the API as text for people.

use std::fmt::Write as _;

use stroem_api::public::{Explanation, JobDetail, JobList, StepInfo, WorkerInfo, WorkspaceInfo};
use stroem_core::Timestamp;

/// Jobs, a line each.
pub(crate) fn job_table(list: &JobList) -> String {
    let rows: Vec<Vec<String>> = list
        .items
        .iter()
        .map(|job| {
            let took = took(job.started_at, job.completed_at);
            vec![
                job.job_id.to_string(),
                job.status.to_string(),
                job.workspace.clone(),
                job.task_name.clone(),
                job.source_type.clone(),
                short(job.created_at),
                took,
            ]
        })
        .collect();
    let mut text = table(&["JOB", "STATUS", "WORKSPACE", "TASK", "SOURCE", "CREATED", "TOOK"], &rows);
    if list.total > list.items.len() as u64 {
        let _infallible = writeln!(text, "{} of {}", list.items.len(), list.total);
    }
    text
}

/// A job, its steps and its output.
pub(crate) fn job(job: &JobDetail) -> String {
    let mut text = format!("{} {} of {}: {}\n", job.task_name, job.job_id, job.workspace, job.status);
    if let Some(error) = &job.error_message {
        let _infallible = writeln!(text, "  {error}");
    }
    text += &steps(job);
    if let Some(output) = &job.output {
        let _infallible = writeln!(text, "output: {output}");
    }
    text
}

fn steps(job: &JobDetail) -> String {
    let rows: Vec<Vec<String>> = job
        .steps
        .iter()
        .map(|step| {
            let why = step.error_message.clone().unwrap_or_else(|| attempts(step));
            let took = took(step.started_at, step.completed_at);
            vec![format!("  {}", step.step_name), step.status.to_string(), took, why]
        })
        .collect();
    table(&[], &rows)
}

/// The number of the newest attempt and how the ones before it ended; nothing for a first one.
fn attempts(step: &StepInfo) -> String {
    if step.attempt < 2 {
        return String::new();
    }
    let earlier = step.attempts.iter().filter(|attempt| attempt.attempt < step.attempt);
    let causes: Vec<&str> =
        earlier.filter_map(|attempt| attempt.outcome.as_ref()?.get("cause")?.as_str()).collect();
    let after = if causes.is_empty() { String::new() } else { format!(" after {}", causes.join(", ")) };
    format!("attempt {}{after}", step.attempt)
}

/// Workers, a line each.
pub(crate) fn worker_table(workers: &[WorkerInfo]) -> String {
    let rows: Vec<Vec<String>> = workers
        .iter()
        .map(|worker| {
            let withdrawn = worker.withdrawn_tags.iter().map(|tag| format!("-{} ({})", tag.tag, tag.reason));
            let tags: Vec<String> = worker.tags.iter().cloned().chain(withdrawn).collect();
            let load = format!("{}/{}", worker.running.len(), worker.max_concurrent);
            vec![worker.name.clone(), worker.status.clone(), load, tags.join(","), short(worker.last_seen)]
        })
        .collect();
    table(&["WORKER", "STATUS", "RUNNING", "TAGS", "LAST SEEN"], &rows)
}

/// Workspaces, a line each.
pub(crate) fn workspace_table(workspaces: &[WorkspaceInfo]) -> String {
    let rows: Vec<Vec<String>> = workspaces
        .iter()
        .map(|workspace| {
            let problems = workspace.error.clone().unwrap_or_else(|| workspace.diagnostics.len().to_string());
            let revision = workspace.revision.as_deref().unwrap_or("").chars().take(12).collect();
            vec![workspace.name.clone(), revision, workspace.tasks.to_string(), problems]
        })
        .collect();
    table(&["WORKSPACE", "REVISION", "TASKS", "PROBLEMS"], &rows)
}

/// Why a step is where it is.
pub(crate) fn explanation(explained: &Explanation) -> String {
    let mut text = format!("{} is {}: {}\n", explained.step_name, explained.status, explained.summary);
    for (step, status) in &explained.waits_for {
        let _infallible = writeln!(text, "  waits for {step}, which is {status}");
    }
    let _infallible = writeln!(text, "required tags: {}", explained.required_tags.join(", "));
    for worker in &explained.workers {
        let missing = if worker.missing_tags.is_empty() {
            format!("has all tags, {} free slot(s)", worker.free_slots)
        } else {
            format!("lacks {}", worker.missing_tags.join(", "))
        };
        let remark = worker.remark.as_ref().map(|remark| format!("; {remark}")).unwrap_or_default();
        let _infallible = writeln!(text, "  {}: {missing}{remark}", worker.name);
    }
    if let Some(ahead) = explained.ahead {
        let _infallible = writeln!(text, "ahead in its queue: {ahead}");
    }
    if let Some(at) = explained.fails_at {
        let _infallible = writeln!(text, "it fails at {} if no worker with its tags comes", short(at));
    }
    if !explained.last_lines.is_empty() {
        let _infallible = writeln!(text, "last lines:\n  {}", explained.last_lines.join("\n  "));
    }
    text
}

fn short(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{}Z", text.split('.').next().unwrap_or(&text))
}

/// A time span for people: `0.12s`, `34s`, `2m05s`, `3h07m`; empty when it has not begun or not ended.
pub(crate) fn took(from: Option<Timestamp>, to: Option<Timestamp>) -> String {
    let (Some(from), Some(to)) = (from, to) else { return String::new() };
    let took = to.since(from);
    match took.as_secs() {
        0..10 => format!("{:.2}s", took.as_secs_f64()),
        secs @ 10..60 => format!("{secs}s"),
        secs @ 60..3_600 => format!("{}m{:02}s", secs / 60, secs % 60),
        secs => format!("{}h{:02}m", secs / 3_600, secs % 3_600 / 60),
    }
}

/// Rows below a head, in columns.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(ToString::to_string).collect();
    let all = || std::iter::once(&head).filter(|head| !head.is_empty()).chain(rows);
    let columns = all().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            all().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in all() {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _infallible = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use std::time::Duration;

    use super::*;
    use crate::testing;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = vec![vec!["a".to_owned(), "long".to_owned()], vec!["bbb".to_owned(), String::new()]];
        assert_eq!(table(&["X", "Y"], &rows), "X    Y\na    long\nbbb\n");
    }

    #[test]
    fn spans_have_a_unit_that_fits() {
        for (ms, expected) in [
            (0, "0.00s"),
            (125, "0.12s"),
            (9_999, "10.00s"),
            (34_900, "34s"),
            (125_000, "2m05s"),
            (11_220_000, "3h07m"),
        ] {
            let (from, to) = (testing::start(), testing::start().after(Duration::from_millis(ms)));
            assert_eq!(took(Some(from), Some(to)), expected, "{ms}");
        }
        assert_eq!(took(Some(testing::start()), None), "");
    }

    #[test]
    fn a_job_shows_its_steps_and_why_they_failed() {
        let mut failed = testing::job_on_its_way();
        failed.error_message = Some("the step lint failed".to_owned());
        insta::assert_snapshot!("job", job(&failed));
    }

    #[test]
    fn a_finished_job_shows_its_output() {
        let steps = vec![testing::step("say", "completed", Some(5), Some(40))];
        let output = json!({"say": {"letters": 3}});
        insta::assert_snapshot!("finished_job", job(&testing::job("completed", steps, Some(&output))));
    }

    #[test]
    fn lists_are_tables() {
        let item = serde_json::to_value(testing::job("completed", vec![], None)).unwrap();
        let list: JobList = serde_json::from_value(json!({"items": [item], "total": 12})).unwrap();
        insta::assert_snapshot!("jobs", job_table(&list));
        let workers: Vec<WorkerInfo> = serde_json::from_value(json!([{
            "id": testing::JOB, "name": "build-1", "status": "active", "tags": ["script", "gpu"],
            "withdrawn_tags": [{"tag": "docker", "reason": "no engine at /var/run/docker.sock"}], "exclusive": false,
            "max_concurrent": 4, "running": [], "version": "0.1.0", "registered_at": testing::start(),
            "last_seen": testing::start(),
        }]))
        .unwrap();
        insta::assert_snapshot!("workers", worker_table(&workers));
    }

    #[test]
    fn an_explanation_names_what_is_missing_where() {
        let explained: Explanation = serde_json::from_value(json!({
            "step_name": "train", "status": "ready", "summary": "no active worker takes steps with the tags: gpu, script",
            "waits_for": [["fetch", "running"]], "required_tags": ["gpu", "script"],
            "workers": [
                {"name": "a", "missing_tags": ["gpu"], "free_slots": 4, "remark": null},
                {"name": "b", "missing_tags": [], "free_slots": 0, "remark": "drains"},
            ],
            "ahead": 3, "fails_at": testing::start(), "last_lines": ["Traceback", "KeyError: 'x'"],
        }))
        .unwrap();
        insta::assert_snapshot!("explanation", explanation(&explained));
    }
}
