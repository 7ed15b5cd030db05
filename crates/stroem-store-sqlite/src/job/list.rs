//! The job list. Ids sort by creation, so newest first is backwards along the primary key or an index.

use rusqlite::{Connection, params_from_iter, types::Value};
use stroem_core::limits;
use stroem_store::{JobFilter, JobPage, JobSummary};

use super::rows::{job_columns, read_job};
use crate::{
    codec::{Columns, counted, job_status},
    failure::Outcome,
};

/// One page, and how many jobs there are on all.
pub(super) fn list(connection: &Connection, filter: &JobFilter) -> Outcome<JobPage> {
    let conditions = Conditions::of(filter);
    let page = [i64::from(filter.limit.min(limits::JOB_PAGE)), i64::from(filter.offset)].map(Value::Integer);
    let mut statement = connection.prepare_cached(&page_sql(&conditions))?;
    let mut rows = statement.query(params_from_iter(conditions.values.iter().chain(&page)))?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        items.push(JobSummary { job: read_job(&mut Columns::of(row))? });
    }
    Ok(JobPage { items, total: total(connection, filter, &conditions)? })
}

fn page_sql(conditions: &Conditions) -> String {
    format!(
        concat!("SELECT ", job_columns!(), " FROM job {} ORDER BY id DESC LIMIT {} OFFSET {}"),
        conditions.sql(),
        conditions.next_parameter(0),
        conditions.next_parameter(1),
    )
}

fn total(connection: &Connection, filter: &JobFilter, conditions: &Conditions) -> Outcome<u64> {
    let mut statement = connection.prepare_cached(&total_sql(filter, conditions))?;
    counted(statement.query_row(params_from_iter(&conditions.values), |row| row.get(0))?)
}

/// Without a filter, or by state alone, the counts that are kept tell it; else an index is counted.
fn total_sql(filter: &JobFilter, conditions: &Conditions) -> String {
    let kept = JobFilter {
        status: filter.status,
        limit: filter.limit,
        offset: filter.offset,
        ..JobFilter::default()
    };
    if *filter == kept {
        format!("SELECT coalesce(sum(jobs), 0) FROM job_count {}", conditions.sql())
    } else {
        format!("SELECT count(*) FROM job {}", conditions.sql())
    }
}

#[derive(Default)]
struct Conditions {
    terms: Vec<String>,
    values: Vec<Value>,
}

impl Conditions {
    fn of(filter: &JobFilter) -> Self {
        let mut conditions = Self::default();
        let texts =
            [("workspace", &filter.workspace), ("task", &filter.task), ("source_type", &filter.source_type)];
        for (column, text) in texts {
            if let Some(text) = text {
                conditions.add(|parameter| format!("{column} = {parameter}"), Value::Text(text.clone()));
            }
        }
        if let Some(status) = filter.status {
            conditions.add(|parameter| format!("shown = {parameter}"), Value::Integer(job_status(status)));
        }
        if let Some(search) = filter.search.as_deref().map(str::trim).filter(|search| !search.is_empty()) {
            conditions.search(&search.to_lowercase());
        }
        conditions
    }

    fn add(&mut self, term: impl FnOnce(String) -> String, value: Value) {
        self.terms.push(term(self.next_parameter(0)));
        self.values.push(value);
    }

    /// A text inside the task's or the source's name, or inside the id, which is stored without dashes.
    fn search(&mut self, text: &str) {
        let (name, id) = (self.next_parameter(0), self.next_parameter(1));
        self.terms.push(format!(
            "(instr(lower(task), {name}) > 0 OR instr(lower(source_type), {name}) > 0 \
             OR instr(lower(source_id), {name}) > 0 OR ({id} <> '' AND instr(lower(hex(id)), {id}) > 0))"
        ));
        self.values.push(Value::Text(text.to_owned()));
        self.values.push(Value::Text(text.replace('-', "")));
    }

    fn next_parameter(&self, further: usize) -> String {
        format!("?{}", self.values.len() + 1 + further)
    }

    fn sql(&self) -> String {
        if self.terms.is_empty() { String::new() } else { format!("WHERE {}", self.terms.join(" AND ")) }
    }
}

#[cfg(test)]
mod tests {
    use stroem_core::JobStatus;

    use super::*;
    use crate::migrations;

    /// How the database goes about a page, and about the total.
    fn plans(filter: &JobFilter) -> (String, String) {
        let connection = Connection::open_in_memory().expect("opens");
        migrations::MAIN.iter().for_each(|sql| connection.execute_batch(sql).expect("creates"));
        let conditions = Conditions::of(filter);
        let steps = |sql: String| {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("prepares");
            let missing = statement.parameter_count() - conditions.values.len();
            let limits = vec![Value::Integer(1); missing];
            let values = params_from_iter(conditions.values.iter().chain(&limits));
            let steps = statement.query_map(values, |row| row.get::<_, String>(3)).expect("explains");
            steps.collect::<Result<Vec<_>, _>>().expect("explains").join("; ")
        };
        (steps(page_sql(&conditions)), steps(total_sql(filter, &conditions)))
    }

    #[test]
    fn pages_of_the_common_filters_walk_an_index_and_sort_nothing() {
        let text = |text: &str| Some(text.to_owned());
        let (workspace, task, status) = (text("w"), text("t"), Some(JobStatus::Failed));
        for (filter, page, total) in [
            (JobFilter::default(), "SCAN job", "SCAN job_count"),
            (JobFilter { status, ..JobFilter::default() }, "job_by_shown", "job_count USING"),
            (
                JobFilter { workspace: workspace.clone(), ..JobFilter::default() },
                "job_by_workspace",
                "COVERING INDEX",
            ),
            (
                JobFilter { workspace: workspace.clone(), task: task.clone(), ..JobFilter::default() },
                "job_by_task",
                "COVERING INDEX",
            ),
        ] {
            let found = plans(&filter);
            assert!(found.0.contains(page) && !found.0.contains("TEMP"), "{filter:?}: {}", found.0);
            assert!(found.1.contains(total), "{filter:?}: {}", found.1);
        }
    }
}
