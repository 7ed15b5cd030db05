//! Answers of the API as text for people.

use std::fmt::Write as _;

use stroem_api::public::{Explanation, JobDetail, JobList, WorkerInfo};
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
                job.task_name.clone(),
                short(job.created_at),
                took,
            ]
        })
        .collect();
    let mut text = table(&["JOB", "STATUS", "TASK", "CREATED", "TOOK"], &rows);
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
            let attempt = if step.attempt > 1 { format!("attempt {}", step.attempt) } else { String::new() };
            let why = step.error_message.clone().unwrap_or(attempt);
            let took = took(step.started_at, step.completed_at);
            vec![format!("  {}", step.step_name), step.status.to_string(), took, why]
        })
        .collect();
    table(&[], &rows)
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

/// Why a step is where it is.
pub(crate) fn explanation(explained: &Explanation) -> String {
    let mut text = format!("{} is {}: {}\n", explained.step_name, explained.status, explained.summary);
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
    if let Some(at) = explained.fails_at {
        let _infallible = writeln!(text, "it fails at {} if no worker with its tags comes", short(at));
    }
    text
}

fn short(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{}Z", text.split('.').next().unwrap_or(&text))
}

fn took(from: Option<Timestamp>, to: Option<Timestamp>) -> String {
    match (from, to) {
        (Some(from), Some(to)) => {
            let took = to.since(from);
            if took.as_secs() >= 10 {
                format!("{}s", took.as_secs())
            } else {
                format!("{:.2}s", took.as_secs_f64())
            }
        }
        _ => String::new(),
    }
}

fn table(head: &[&str], rows: &[Vec<String>]) -> String {
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
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = vec![vec!["a".to_owned(), "long".to_owned()], vec!["bbb".to_owned(), String::new()]];
        assert_eq!(table(&["X", "Y"], &rows), "X    Y\na    long\nbbb\n");
    }
}
