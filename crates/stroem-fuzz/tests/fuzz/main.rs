//! A short run of every target with a fixed seed, and a proof that the loop sees what it is there to see.

use std::{path::Path, time::Duration};

use stroem_fuzz::{
    drive::{Limits, drive},
    targets::{self, Target},
};

#[track_caller]
fn check(name: &str, runs: u64) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let targets = targets::all(&root).expect("the case files");
    let target = targets.iter().find(|target| target.name() == name).expect("a target of that name");
    // Slow machines and unoptimised builds: the time is for what hangs, not for what is slow.
    let limits = Limits { runs, time_per_input: Duration::from_secs(20), ..Limits::default() };
    let summary = drive(target.as_ref(), &limits);
    let found: Vec<_> = summary
        .findings
        .iter()
        .map(|finding| (&finding.what, String::from_utf8_lossy(&finding.input)))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
    assert_eq!(summary.runs, runs);
    assert!(summary.kept > 10, "only {} inputs were new in kind", summary.kept);
}

#[test]
fn workflow_files_hold_their_promises() {
    check("yaml", 1_000);
}

#[test]
fn templates_hold_their_promises() {
    check("templates", 2_000);
}

#[test]
fn framing_holds_its_promises() {
    check("framing", 20_000);
}

#[test]
fn masking_holds_its_promises() {
    check("masking", 1_000);
}

/// Makes a mistake of its kind when an input holds its word.
struct Mistaken(&'static str);

impl Target for Mistaken {
    fn name(&self) -> &'static str {
        "mistaken"
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        vec![b"some text\n".to_vec()]
    }

    fn words(&self) -> &[&'static str] {
        &["panic", "promise", "slow", "memory"]
    }

    fn run(&self, input: &[u8]) -> Result<u64, String> {
        let has = |word: &str| word == self.0 && String::from_utf8_lossy(input).contains(word);
        assert!(!has("panic"), "as asked for");
        if has("slow") {
            std::thread::sleep(Duration::from_millis(60));
        }
        if has("memory") {
            std::hint::black_box(vec![1_u8; 96 << 20]);
        }
        if has("promise") { Err("a promise does not hold".to_owned()) } else { Ok(0) }
    }
}

#[test]
fn the_loop_sees_every_kind_of_mistake() {
    let cases =
        [("panic", "panic: as asked for"), ("promise", "a promise does not hold"), ("slow", "too slow")];
    for (word, expected) in cases.into_iter().chain([("memory", "of memory")]) {
        let limits = Limits {
            runs: 128,
            time_per_input: Duration::from_millis(50),
            memory_bytes: 48 << 20,
            ..Limits::default()
        };
        let summary = drive(&Mistaken(word), &limits);
        let seen = |what: &str| summary.findings.iter().any(|finding| finding.what.contains(what));
        assert!(seen(expected), "{word}: {:?}", summary.findings);
        let input =
            &summary.findings.iter().find(|finding| finding.what.contains(expected)).expect("seen").input;
        assert!(String::from_utf8_lossy(input).contains(word), "{word}: {input:?}");
    }
    let nothing = drive(&Mistaken("nothing"), &Limits { runs: 128, ..Limits::default() });
    assert!(nothing.findings.is_empty(), "{:?}", nothing.findings);
}

#[test]
fn a_seed_gives_the_same_inputs_again() {
    let runs = |seed| {
        let limits = Limits { seed, runs: 300, ..Limits::default() };
        drive(&Mistaken("promise"), &limits).findings
    };
    assert_eq!(runs(7), runs(7));
    assert_ne!(runs(7), runs(8));
}
