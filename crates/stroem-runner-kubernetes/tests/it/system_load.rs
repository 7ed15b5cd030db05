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
    for once in ["watch pods", "watch events"] {
        assert_eq!(counts.get(once), Some(&1), "{once}: {counts:?}");
    }
    // What the namespace costs, whatever the number of pods: permissions, watches, and the lists before them in pages.
    let shared = ["other", "watch pods", "watch events", "list pods", "list events"];
    let of_pods: u64 =
        counts.iter().filter(|(what, _)| !shared.contains(&what.as_str())).map(|(_, count)| count).sum();
    assert!(of_pods <= 6 * PODS, "{of_pods} requests: {counts:?}");
}
