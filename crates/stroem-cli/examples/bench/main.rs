//! The workloads of `cargo xtask bench`: a release server and one worker as processes of their own, over HTTP, on either
//! store. Prints one JSON object a line: store, name, unit, one value per run. Judging them is xtask's part.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock, and nothing hangs on it")]
#![expect(clippy::print_stdout, reason = "its result is what it prints")]

mod history;
mod multiply;
mod system;
mod work;

use std::{path::PathBuf, time::Instant};

use serde_json::json;

use crate::system::{Bench, Store};

/// `product STORE STROEM RUNS IDLE_SECS` or `history STORE STROEM JOBS ROWS`.
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let text = |index: usize| arguments.get(index).map(String::as_str).expect("five arguments");
    let number = |index: usize| text(index).parse::<u32>().expect("a number");
    let store = match text(1) {
        "postgres" => Store::Postgres,
        _ => Store::Sqlite,
    };
    let stroem = PathBuf::from(text(2));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        if text(0) == "history" {
            return history::measure(&stroem, store, u64::from(number(3)), u64::from(number(4))).await;
        }
        let mut bench = Bench::start(&stroem, store).await;
        report(store, "server serves after exec", "ms", &[bench.served_after_ms]);
        bench.worker("w0", 8).await;
        bench.dispatch().await;
        bench.flows(number(3)).await;
        bench.throughput(number(3)).await;
        bench.flood(number(3)).await;
        bench.cancel().await;
        bench.idle(u64::from(number(4))).await;
    });
}

pub(crate) fn report(store: Store, name: &str, unit: &str, values: &[f64]) {
    println!("{}", json!({"store": store.name(), "name": name, "unit": unit, "values": values}));
}

pub(crate) fn millis(from: Instant) -> f64 {
    from.elapsed().as_secs_f64() * 1_000.0
}

pub(crate) fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}
