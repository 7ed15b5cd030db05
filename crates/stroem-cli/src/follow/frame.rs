//! The lines of the live view. Pure: a job, a time and a size give a text.

use std::collections::BTreeMap;

use console::Style;
use stroem_api::public::{JobDetail, StepInfo};
use stroem_core::{StepStatus, Timestamp};

use crate::render;

/// The room there is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// A line per step, and one for those that have no room; no newline at the end.
pub(super) fn text(job: &JobDetail, now: Timestamp, size: Size, tick: usize, color: bool) -> String {
    let shown = choose(&job.steps, size.rows.max(1));
    let width = shown.iter().map(|step| console::measure_text_width(&step.step_name)).max().unwrap_or(0);
    let mut lines: Vec<String> = shown
        .iter()
        .map(|step| {
            let line = line(step, now, width, tick, color);
            console::truncate_str(&line, size.columns.max(1), "…").trim_end().to_owned()
        })
        .collect();
    if shown.len() < job.steps.len() {
        lines.push(rest(&job.steps, &shown));
    }
    lines.join("\n")
}

fn line(step: &StepInfo, now: Timestamp, width: usize, tick: usize, color: bool) -> String {
    let (icon, style) = icon(step.status, tick);
    let icon = style.force_styling(color).apply_to(icon);
    let name = console::pad_str(&step.step_name, width, console::Alignment::Left, None);
    let took = match step.status {
        StepStatus::Running => render::took(step.started_at, Some(now)),
        _ => render::took(step.started_at, step.completed_at),
    };
    format!("{icon} {name}  {:<9}  {took:>6}  {}", step.status, remark(step))
}

fn icon(status: StepStatus, tick: usize) -> (&'static str, Style) {
    match status {
        StepStatus::Pending => ("·", Style::new().dim()),
        StepStatus::Ready => ("○", Style::new().yellow()),
        StepStatus::Running => (SPINNER[tick % SPINNER.len()], Style::new().cyan()),
        StepStatus::Completed => ("✓", Style::new().green()),
        StepStatus::Failed => ("✗", Style::new().red().bold()),
        StepStatus::Skipped => ("-", Style::new().dim()),
        StepStatus::Cancelled => ("■", Style::new().yellow()),
        StepStatus::Suspended => ("‖", Style::new().yellow()),
    }
}

fn remark(step: &StepInfo) -> String {
    match (step.status, &step.error_message) {
        (StepStatus::Ready, _) => "waits for a worker".to_owned(),
        (_, Some(error)) => error.lines().next().unwrap_or_default().to_owned(),
        (_, None) if step.attempt > 1 => format!("attempt {}", step.attempt),
        (_, None) => String::new(),
    }
}

/// The steps to show in so many rows, in the order of the flow: what runs comes before what failed, waits, ended.
fn choose(steps: &[StepInfo], rows: usize) -> Vec<&StepInfo> {
    if steps.len() <= rows {
        return steps.iter().collect();
    }
    let rank = |step: &StepInfo| match step.status {
        StepStatus::Running | StepStatus::Suspended => 0,
        StepStatus::Failed => 1,
        StepStatus::Ready => 2,
        StepStatus::Pending => 3,
        StepStatus::Completed | StepStatus::Cancelled | StepStatus::Skipped => 4,
    };
    let mut order: Vec<usize> = (0..steps.len()).collect();
    order.sort_by_key(|index| rank(&steps[*index]));
    // One row is for the rest.
    order.truncate(rows.saturating_sub(1).max(1));
    order.sort_unstable();
    order.into_iter().map(|index| &steps[index]).collect()
}

fn rest(steps: &[StepInfo], shown: &[&StepInfo]) -> String {
    let mut counts: BTreeMap<StepStatus, usize> = BTreeMap::new();
    for step in steps {
        *counts.entry(step.status).or_default() += 1;
    }
    for step in shown {
        if let Some(count) = counts.get_mut(&step.status) {
            *count -= 1;
        }
    }
    let parts: Vec<String> = counts
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(status, count)| format!("{count} {status}"))
        .collect();
    format!("  and {}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn show(job: &JobDetail, rows: usize, columns: usize) -> String {
        let now = job.created_at.after(std::time::Duration::from_millis(3_250));
        text(job, now, Size { rows, columns }, 2, false)
    }

    #[test]
    fn every_step_has_a_line_with_state_and_time() {
        insta::assert_snapshot!(show(&testing::job_on_its_way(), 10, 80));
    }

    #[test]
    fn what_has_no_room_is_counted_and_long_lines_are_cut() {
        insta::assert_snapshot!(show(&testing::job_on_its_way(), 3, 40));
    }

    #[test]
    fn a_frame_never_has_more_lines_than_rows() {
        let mut job = testing::job_on_its_way();
        let step = job.steps[0].clone();
        job.steps.extend(std::iter::repeat_n(step, 1_000));
        for rows in 2..20 {
            assert!(show(&job, rows, 80).lines().count() <= rows, "{rows}");
        }
    }
}
