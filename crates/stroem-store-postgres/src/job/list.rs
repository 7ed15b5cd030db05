//! The job list. Ids sort by creation, so newest first is backwards along the primary key or an index.

use stroem_core::limits;
use stroem_store::{JobFilter, JobPage, JobSummary};

use super::rows::{job_columns, read_job};
use crate::{
    codec::{Columns, job_status, plain},
    connection::{Request, Value},
    failure::Outcome,
    store::Inner,
};

/// One page, and how many jobs there are on all.
pub(super) async fn list(inner: &Inner, filter: &JobFilter) -> Outcome<JobPage> {
    let conditions = Conditions::of(filter);
    let mut page = conditions.values();
    page.push(Box::new(i64::from(filter.limit.min(limits::JOB_PAGE))));
    page.push(Box::new(i64::from(filter.offset)));
    let questions = vec![
        Request::new(page_sql(&conditions), page),
        Request::new(total_sql(filter, &conditions), conditions.values()),
    ];
    let answers = inner.snapshot(questions).await?;
    let jobs = answers[0].iter().map(|row| Ok(JobSummary { job: read_job(&mut Columns::of(row))? }));
    Ok(JobPage { items: jobs.collect::<Outcome<_>>()?, total: Columns::of(&answers[1][0]).count()? })
}

fn page_sql(conditions: &Conditions) -> String {
    format!(
        concat!("SELECT ", job_columns!(), " FROM job {} ORDER BY id DESC LIMIT {} OFFSET {}"),
        conditions.sql(),
        conditions.next_parameter(0),
        conditions.next_parameter(1),
    )
}

/// Without a filter, or by workspace, task and state, the counts that are kept tell it; else an index is counted.
fn total_sql(filter: &JobFilter, conditions: &Conditions) -> String {
    let is_searched = filter.search.as_deref().is_some_and(|search| !search.trim().is_empty());
    if filter.source_type.is_none() && !is_searched {
        format!("SELECT coalesce(sum(jobs), 0)::bigint FROM job_count {}", conditions.sql())
    } else {
        format!("SELECT count(*) FROM job {}", conditions.sql())
    }
}

enum Parameter {
    Text(String),
    Number(i64),
}

#[derive(Default)]
struct Conditions {
    terms: Vec<String>,
    parameters: Vec<Parameter>,
}

impl Conditions {
    fn of(filter: &JobFilter) -> Self {
        let mut conditions = Self::default();
        let texts =
            [("workspace", &filter.workspace), ("task", &filter.task), ("source_type", &filter.source_type)];
        for (column, text) in texts {
            if let Some(text) = text {
                let text = Parameter::Text(plain(text).into_owned());
                conditions.add(|parameter| format!("{column} = {parameter}"), text);
            }
        }
        if let Some(status) = filter.status {
            let number = Parameter::Number(job_status(status));
            conditions.add(|parameter| format!("shown = {parameter}"), number);
        }
        if let Some(search) = filter.search.as_deref().map(str::trim).filter(|search| !search.is_empty()) {
            conditions.search(&plain(search).to_lowercase());
        }
        conditions
    }

    fn add(&mut self, term: impl FnOnce(String) -> String, parameter: Parameter) {
        self.terms.push(term(self.next_parameter(0)));
        self.parameters.push(parameter);
    }

    /// A text inside the task's or the source's name, or inside the id, with dashes or without.
    fn search(&mut self, text: &str) {
        let (name, id) = (self.next_parameter(0), self.next_parameter(1));
        self.terms.push(format!(
            "(strpos(lower(task), {name}) > 0 OR strpos(lower(source_type), {name}) > 0 \
             OR strpos(lower(source_id), {name}) > 0 \
             OR ({id} <> '' AND strpos(replace(id::text, '-', ''), {id}) > 0))"
        ));
        self.parameters.push(Parameter::Text(text.to_owned()));
        self.parameters.push(Parameter::Text(text.replace('-', "")));
    }

    fn next_parameter(&self, further: usize) -> String {
        format!("${}", self.parameters.len() + 1 + further)
    }

    fn values(&self) -> Vec<Value<'static>> {
        let value = |parameter: &Parameter| -> Value<'static> {
            match parameter {
                Parameter::Text(text) => Box::new(text.clone()),
                Parameter::Number(number) => Box::new(*number),
            }
        };
        self.parameters.iter().map(value).collect()
    }

    fn sql(&self) -> String {
        if self.terms.is_empty() { String::new() } else { format!("WHERE {}", self.terms.join(" AND ")) }
    }
}
