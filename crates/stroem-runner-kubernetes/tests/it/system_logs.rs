//! Logs: all of them, once and in order, whatever happens to the connection.

use std::time::Duration;

use stroem_core::Outcome;

use crate::support::{Gate, Pods, image, request, run, wait_for};

fn numbered(lines: usize) -> String {
    (1..=lines).map(|line| format!("line {line}\n")).collect()
}

/// Compares without printing megabytes.
#[track_caller]
fn assert_same(got: &str, expected: &str) {
    if got != expected {
        let at = got
            .bytes()
            .zip(expected.bytes())
            .position(|(a, b)| a != b)
            .unwrap_or(got.len().min(expected.len()));
        let around = |text: &str| {
            String::from_utf8_lossy(&text.as_bytes()[at.saturating_sub(60)..(at + 60).min(text.len())])
                .into_owned()
        };
        panic!(
            "they differ at {at} ({} and {} bytes): {:?} and {:?}",
            got.len(),
            expected.len(),
            around(got),
            around(expected)
        );
    }
}

#[tokio::test]
async fn two_hundred_thousand_lines_come_once_and_in_order() {
    let Some(pods) = Pods::new().await else { return };
    let ran = run(&pods.runner, request("seq -f 'line %.0f' 200000")).await;
    assert_eq!(ran.outcome, Outcome::Succeeded);
    assert_same(&ran.stdout, &numbered(200_000));
}

#[tokio::test]
async fn a_line_of_a_megabyte_arrives_whole() {
    let Some(pods) = Pods::new().await else { return };
    let text = "head -c 1000000 /dev/zero | tr '\\0' x; echo; echo end";
    let (script, container) = tokio::join!(run(&pods.runner, request(text)), run(&pods.runner, image(text)));
    for ran in [script, container] {
        assert_eq!(ran.outcome, Outcome::Succeeded);
        assert_same(&ran.stdout, &format!("{}\nend\n", "x".repeat(1_000_000)));
    }
}

#[tokio::test]
async fn a_cluster_that_goes_away_and_comes_back_loses_no_line_and_no_end() {
    let Some(gate) = Gate::open().await else { return };
    let credentials = gate.credentials.path().to_owned();
    let Some(pods) = Pods::with(|options| options.kubeconfig = Some(credentials)).await else { return };
    // Both are cut in the middle, and one ends while nobody can see it.
    let long = request("for part in 1 2 3 4 5 6; do seq -f \"line $part %.0f\" 5000; sleep 1; done");
    let short = image("echo one; sleep 2; echo two; exit 7");
    let running = async { tokio::join!(run(&pods.runner, long.clone()), run(&pods.runner, short.clone())) };
    let faults = async {
        for _ in 0..2 {
            wait_for("both are followed", async || {
                let logs = pods.runner.runner.requests().get("get pods/log").copied();
                logs.filter(|_| gate.connections() >= 3)
            })
            .await;
            gate.cut_for(Duration::from_millis(1500)).await;
        }
    };
    let ((long, short), ()) = tokio::join!(running, faults);
    assert_eq!(long.outcome, Outcome::Succeeded, "{:?}", long.notes);
    let expected: String =
        (1..=6).flat_map(|part| (1..=5_000).map(move |line| format!("line {part} {line}\n"))).collect();
    assert_same(&long.stdout, &expected);
    assert_eq!(short.outcome, Outcome::Failed { exit: stroem_core::Exit::ExitCode(7) });
    assert_same(&short.stdout, "one\ntwo\n");
}
