//! The job list and the counts.

use stroem_core::{HumanDuration, JobStatus, limits};
use stroem_engine::Event;

use super::support::{JobShape, after, at, claim_scripts, commit, create, fan, plan, succeeded};
use crate::{JobFilter, Store};

fn any() -> JobFilter {
    JobFilter { limit: 100, ..JobFilter::default() }
}

/// Numbers of the jobs that a filter finds, and the total.
async fn find(store: &dyn Store, filter: JobFilter) -> (Vec<u64>, u64) {
    let page = store.list(&filter).await.expect("lists");
    let number =
        |id| (0..2_000).find(|number| super::support::job_id(*number) == id).expect("a job of this test");
    (page.items.iter().map(|item| number(item.job.id)).collect(), page.total)
}

/// Newest first; the total counts all pages; a page has at most the documented number of jobs.
pub async fn jobs_are_listed_newest_first_in_pages(store: &dyn Store) {
    assert_eq!(find(store, any()).await, (vec![], 0));
    for number in [3, 1, 5, 2, 4] {
        create(store, number, fan(1)).await;
    }
    assert_eq!(find(store, any()).await, (vec![5, 4, 3, 2, 1], 5));
    for (limit, offset, expected) in
        [(2, 0, vec![5, 4]), (2, 2, vec![3, 2]), (2, 4, vec![1]), (2, 9, vec![]), (0, 0, vec![])]
    {
        assert_eq!(find(store, JobFilter { limit, offset, ..any() }).await, (expected, 5));
    }
    for number in 6..=u64::from(limits::JOB_PAGE) + 6 {
        create(store, number, fan(1)).await;
    }
    let (page, total) = find(store, JobFilter { limit: u32::MAX, ..any() }).await;
    assert_eq!((page.len(), total), (limits::JOB_PAGE as usize, u64::from(limits::JOB_PAGE) + 6));
}

async fn some_jobs(store: &dyn Store) -> Vec<JobShape> {
    let mut jobs = Vec::new();
    for (number, workspace, task, source) in [
        (1, "default", "build", ("api", None)),
        (2, "default", "Deploy", ("user", Some("ada"))),
        (3, "other", "build", ("trigger", Some("nightly"))),
        (4, "default", "build", ("user", Some("grace"))),
        (5, "other", "rebuild_all", ("webhook", Some("GitHub 100%"))),
    ] {
        let mut job = JobShape::new(number, plan(task, &[after(&[])]));
        (job.workspace, job.source) = (workspace, source);
        store.create(job.new_job()).await.expect("creates");
        jobs.push(job);
    }
    jobs
}

/// Each filter on its own, and together.
pub async fn every_filter_cuts_the_list(store: &dyn Store) {
    let jobs = some_jobs(store).await;
    let leases = claim_scripts(store, 1, 2, at(10)).await;
    commit(store, &jobs[0], vec![succeeded(leases[0], None)], at(11)).await;
    let text = |text: &str| Some(text.to_owned());
    let (default, build) = (text("default"), text("build"));
    for (filter, expected) in [
        (JobFilter { workspace: default.clone(), ..any() }, vec![4, 2, 1]),
        (JobFilter { task: build.clone(), ..any() }, vec![4, 3, 1]),
        (JobFilter { workspace: default.clone(), task: build.clone(), ..any() }, vec![4, 1]),
        (JobFilter { status: Some(JobStatus::Completed), ..any() }, vec![1]),
        (JobFilter { status: Some(JobStatus::Running), ..any() }, vec![2]),
        (JobFilter { status: Some(JobStatus::Pending), task: build.clone(), ..any() }, vec![4, 3]),
        (JobFilter { source_type: text("user"), ..any() }, vec![4, 2]),
        (
            JobFilter {
                source_type: text("user"),
                workspace: default,
                status: Some(JobStatus::Pending),
                task: build,
                ..any()
            },
            vec![4],
        ),
        (JobFilter { workspace: text("nowhere"), ..any() }, vec![]),
    ] {
        let total = expected.len() as u64;
        assert_eq!(find(store, filter.clone()).await, (expected.clone(), total), "{filter:?}");
        let first = JobFilter { limit: 1, ..filter };
        let expected = expected.into_iter().take(1).collect();
        assert_eq!(find(store, first).await, (expected, total), "the total is that of all pages");
    }
}

/// As the API shows it: cancelled and timed out from the moment of the request.
pub async fn a_stopped_job_is_listed_by_its_final_state(store: &dyn Store) {
    let mut timed = fan(1);
    timed.timeout = Some(HumanDuration::from_secs(1));
    let overdue = create(store, 1, timed).await;
    let cancelled = create(store, 2, fan(1)).await;
    create(store, 3, fan(1)).await;
    claim_scripts(store, 1, 3, at(5)).await;
    commit(store, &overdue, vec![Event::JobDeadline], at(2_000)).await;
    commit(store, &cancelled, vec![Event::CancelRequested], at(2_001)).await;
    for (status, expected) in [(JobStatus::Running, 3), (JobStatus::Cancelled, 2), (JobStatus::Failed, 1)] {
        let filter = JobFilter { status: Some(status), ..any() };
        assert_eq!(find(store, filter).await, (vec![expected], 1), "{status}");
    }
    let row = store.job(cancelled.id()).await.expect("reads").expect("exists");
    assert_eq!(row.status, JobStatus::Running, "its row says what is so");
}

/// Any case, anywhere in the task or the source; ids with and without dashes; no character is special.
pub async fn a_search_finds_ids_tasks_and_sources(store: &dyn Store) {
    let jobs = some_jobs(store).await;
    let id = jobs[2].id().to_string();
    for (search, expected) in [
        ("build", vec![5, 4, 3, 1]),
        ("DEPLOY", vec![2]),
        ("ada", vec![2]),
        ("night", vec![3]),
        ("github 100%", vec![5]),
        ("%", vec![5]),
        ("_", vec![5]),
        (id.as_str(), vec![3]),
        (&id[..13], vec![3]),
        (&id.to_uppercase(), vec![3]),
        (" build ", vec![5, 4, 3, 1]),
        ("", vec![5, 4, 3, 2, 1]),
        ("nothing of this kind", vec![]),
    ] {
        let filter = JobFilter { search: Some(search.to_owned()), ..any() };
        let total = expected.len() as u64;
        assert_eq!(find(store, filter).await, (expected, total), "{search:?}");
    }
}

/// Counts agree with what happened.
pub async fn counts_follow_the_jobs(store: &dyn Store) {
    let count = |counts: &crate::JobCounts, status| {
        counts.jobs.iter().filter(|(known, _)| *known == status).map(|(_, jobs)| jobs).sum::<u64>()
    };
    let counts = store.counts().await.expect("counts");
    assert_eq!((counts.ready_steps, counts.running_steps), (0, 0));
    assert!(counts.jobs.iter().all(|(_, jobs)| *jobs == 0));
    let first = create(store, 1, fan(3)).await;
    let second = create(store, 2, fan(1)).await;
    create(store, 3, fan(1)).await;
    let leases = claim_scripts(store, 1, 4, at(5)).await;
    commit(store, &second, vec![succeeded(leases[3], None)], at(6)).await;
    commit(store, &first, vec![succeeded(leases[0], None)], at(6)).await;
    let counts = store.counts().await.expect("counts");
    assert_eq!((counts.ready_steps, counts.running_steps), (1, 2));
    for (status, expected) in [
        (JobStatus::Pending, 1),
        (JobStatus::Running, 1),
        (JobStatus::Completed, 1),
        (JobStatus::Failed, 0),
        (JobStatus::Cancelled, 0),
    ] {
        assert_eq!(count(&counts, status), expected, "{status}");
    }
    commit(store, &first, vec![Event::CancelRequested], at(7)).await;
    let counts = store.counts().await.expect("counts");
    assert_eq!(
        (count(&counts, JobStatus::Running), count(&counts, JobStatus::Cancelled)),
        (0, 1),
        "as it is shown"
    );
}
