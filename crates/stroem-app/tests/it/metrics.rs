//! What is counted.

use stroem_app::ReportIn;
use stroem_core::{Exit, Outcome};

use crate::fixture::{CHAIN, Fixture};

async fn numbers(fixture: &Fixture) -> Vec<String> {
    let text = fixture.app.metrics_text().await.expect("numbers");
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

#[track_caller]
fn holds(numbers: &[String], expected: &[&str]) {
    for line in expected {
        assert!(numbers.iter().any(|found| found == line), "{line}\n{}", numbers.join("\n"));
    }
}

#[tokio::test]
async fn jobs_steps_and_slots_are_counted_as_they_come_and_go() {
    let fixture = Fixture::new(CHAIN, |_| {}).await;
    holds(
        &numbers(&fixture).await,
        &[
            r#"stroem_jobs_completed_total{status="failed"} 0"#,
            r#"stroem_step_outcomes_total{cause="out_of_memory"} 0"#,
            "stroem_step_queue_wait_seconds_count 0",
            "stroem_workers_active 0",
            "stroem_leader_status 1",
        ],
    );
    fixture.execute().await;
    let worker = fixture.worker(1, Vec::new()).await;
    holds(
        &numbers(&fixture).await,
        &[
            r#"stroem_jobs_created_total{source_type="api"} 1"#,
            "stroem_jobs_in_flight 1",
            "stroem_steps_ready 1",
            "stroem_workers_active 1",
            "stroem_worker_slots 4",
            "stroem_worker_slots_used 0",
        ],
    );
    let lease = fixture.claim(&worker).await;
    let started = ReportIn::Started { at: fixture.app.now() };
    fixture.app.report(&worker, Vec::new(), vec![(lease, started.clone())]).await.expect("taken");
    // Told twice, counted once.
    fixture.app.report(&worker, Vec::new(), vec![(lease, started)]).await.expect("taken");
    holds(
        &numbers(&fixture).await,
        &[
            "stroem_step_queue_wait_seconds_count 1",
            "stroem_step_dispatch_seconds_count 1",
            "stroem_worker_slots_used 1",
            "stroem_steps_ready 0",
        ],
    );
    let outcome = Outcome::Failed { exit: Exit::ExitCode(3) };
    let ended = ReportIn::Ended { outcome, output: None };
    for _ in 0..2 {
        fixture.app.report(&worker, Vec::new(), vec![(lease, ended.clone())]).await.expect("taken");
    }
    holds(
        &numbers(&fixture).await,
        &[
            r#"stroem_step_outcomes_total{cause="failed"} 1"#,
            r#"stroem_step_outcomes_total{cause="succeeded"} 0"#,
            r#"stroem_jobs_completed_total{status="failed"} 1"#,
            "stroem_jobs_in_flight 0",
            "stroem_worker_slots_used 0",
        ],
    );
}

#[tokio::test]
async fn a_step_that_no_worker_takes_is_counted_by_its_cause() {
    let short = std::time::Duration::from_millis(20);
    let fixture = Fixture::new(CHAIN, |options| {
        (options.sweep_interval, options.unmatched_step_timeout) = (short, short);
    })
    .await;
    let job = fixture.execute().await;
    while fixture.app.job_row(job).await.expect("a job").0.completed_at.is_none() {
        tokio::time::sleep(short).await;
    }
    holds(&numbers(&fixture).await, &[r#"stroem_step_outcomes_total{cause="no_matching_worker"} 1"#]);
}
