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
    let sql = format!(
        concat!("SELECT ", job_columns!(), " FROM job {} ORDER BY id DESC LIMIT {} OFFSET {}"),
        conditions.sql(),
        conditions.next_parameter(0),
        conditions.next_parameter(1),
    );
    let page = [i64::from(filter.limit.min(limits::JOB_PAGE)), i64::from(filter.offset)].map(Value::Integer);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(conditions.values.iter().chain(&page)))?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        items.push(JobSummary { job: read_job(&mut Columns::of(row))? });
    }
    Ok(JobPage { items, total: total(connection, filter, &conditions)? })
}

/// Without a filter, or by state alone, the counts that are kept tell it; else an index is counted.
fn total(connection: &Connection, filter: &JobFilter, conditions: &Conditions) -> Outcome<u64> {
    let kept = JobFilter {
        status: filter.status,
        limit: filter.limit,
        offset: filter.offset,
        ..JobFilter::default()
    };
    let sql = if *filter == kept {
        format!("SELECT coalesce(sum(jobs), 0) FROM job_count {}", conditions.sql())
    } else {
        format!("SELECT count(*) FROM job {}", conditions.sql())
    };
    let mut statement = connection.prepare_cached(&sql)?;
    counted(statement.query_row(params_from_iter(&conditions.values), |row| row.get(0))?)
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
