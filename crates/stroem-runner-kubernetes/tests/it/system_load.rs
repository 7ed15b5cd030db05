//! Many pods at once, and what they cost the cluster's API.

use futures_util::future::join_all;
use stroem_core::Outcome;
use stroem_runner::Runner;

use crate::support::{Pods, request, run};

const PODS: u64 = 30;

#[tokio::test]
async fn thirty_pods_at_once_take_one_watch_each_and_six_requests_a_pod() {
    let Some(pods) = Pods::new().await else { return };
    pods.runner.health().await.expect("it is there");
    let before: u64 = pods.runner.runner.requests().values().sum();
    let scripts = (0..PODS).map(|number| {
        let mut step = request(&format!("echo {number}; sleep 1"));
        step.lease.attempt.step = u32::try_from(number).expect("small");
        run(&pods.runner, step)
    });
    for (number, ran) in join_all(scripts).await.into_iter().enumerate() {
        assert_eq!((ran.outcome, ran.stdout), (Outcome::Succeeded, format!("{number}\n")));
    }
    let counts = pods.runner.runner.requests();
    println!("requests of {PODS} pods: {counts:?}");
    for once in ["watch pods", "watch events", "list pods", "list events"] {
        assert_eq!(counts.get(once), Some(&1), "{once}: {counts:?}");
    }
    let own: u64 = counts.values().sum::<u64>() - before;
    assert!(own <= 4 + 6 * PODS, "{own} requests: {counts:?}");
}
