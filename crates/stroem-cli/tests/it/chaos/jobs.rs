//! Jobs that note what really happened to them, and what must be true of them afterwards.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    fs,
    path::Path,
};

use serde_json::Value;
use stroem_api::public::{JobDetail, StepInfo};
use stroem_core::JobId;

use crate::harness::{System, wait_for};

/// Lines that a step prints.
const LINES: usize = 4;

/// A task `t`: a chain of steps, each of which counts one up and notes in `notes` that it began and that it ended.
pub(crate) fn workflow(steps: usize, seconds: f64, notes: &Path) -> String {
    let mut text = "tasks:\n  t:\n    flow:\n".to_owned();
    let notes = notes.display();
    for step in 0..steps {
        let before = step.checked_sub(1);
        let (needs, from) = match before {
            None => (String::new(), "0".to_owned()),
            Some(before) => (format!("depends_on: [s{before}]"), format!("{{{{ s{before}.output.n }}}}")),
        };
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "      s{step}:\n        type: script\n        {needs}\n        env: {{FROM: '{from}'}}\n        script: |\n          \
             echo \"begin $STROEM_ATTEMPT\" >> {notes}\n          \
             echo \"$STROEM_ATTEMPT 0\"; echo \"$STROEM_ATTEMPT 1\"\n          \
             sleep {seconds}\n          \
             echo \"$STROEM_ATTEMPT 2\"; echo \"$STROEM_ATTEMPT 3\"\n          \
             echo \"end $STROEM_ATTEMPT\" >> {notes}\n          \
             echo \"OUTPUT: {{\\\"n\\\": $((FROM + 1)), \\\"by\\\": \\\"$STROEM_ATTEMPT\\\"}}\"\n"
        );
    }
    text
}

/// What a run through faults came to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) steps: usize,
    pub(crate) attempts: usize,
    pub(crate) causes: BTreeMap<String, usize>,
    pub(crate) lines: usize,
}

/// Everything that must hold for jobs of [`workflow`] that have ended.
pub(crate) async fn check(system: &System, jobs: &[JobId], notes: &Path) -> Tally {
    let notes = Notes::read(notes);
    let mut tally = Tally::default();
    for job in jobs {
        let detail = system.client.job(*job).await.expect("a job");
        assert_eq!(detail.status.as_str(), "completed", "{detail:#?}\n{}", system.server_log());
        let lines = system.lines(*job).await;
        for (index, step) in detail.steps.iter().enumerate() {
            check_step(&detail, index, step, &notes, &lines, &mut tally);
        }
    }
    no_process_is_left(jobs).await;
    tally
}

fn check_step(
    detail: &JobDetail,
    index: usize,
    step: &StepInfo,
    notes: &Notes,
    lines: &[Value],
    tally: &mut Tally,
) {
    let job = detail.job_id;
    let causes: Vec<&str> = step
        .attempts
        .iter()
        .map(|attempt| attempt.outcome.as_ref().expect("ended")["cause"].as_str().expect("a cause"))
        .collect();
    tally.steps += 1;
    tally.attempts += causes.len();
    causes.iter().for_each(|cause| *tally.causes.entry((*cause).to_owned()).or_default() += 1);
    let (last, earlier) = causes.split_last().expect("it ran");
    assert_eq!((*last, step.attempt as usize), ("succeeded", causes.len()), "{step:?}");
    assert!(earlier.iter().all(|cause| ["worker_lost", "runner_error"].contains(cause)), "{step:?}");

    // The command ran once for each attempt at most, never after a success, and the result is the last one's.
    for attempt in 1..=step.attempt + 1 {
        let begun = notes.begun(job, index, attempt);
        assert!(begun.len() <= usize::from(attempt <= step.attempt), "attempt {attempt} ran: {begun:?}");
        let ended_by = begun.first().map_or("", |marker| marker.as_str());
        let printed: Vec<String> = lines
            .iter()
            .filter(|line| {
                line["stream"] != "engine" && line["step"] == step.step_name && line["attempt"] == attempt
            })
            .map(|line| line["line"].as_str().expect("text").to_owned())
            .collect();
        let whole: Vec<String> = (0..LINES).map(|line| format!("{ended_by} {line}")).collect();
        tally.lines += printed.len();
        if attempt < step.attempt {
            assert!(whole.starts_with(&printed), "of a lost attempt: {printed:?}");
        } else if attempt == step.attempt {
            assert_eq!(printed, whole, "{step:?}");
            let output = step.output.as_ref().expect("an output");
            assert_eq!((&output["n"], &output["by"]), (&Value::from(index + 1), &Value::from(ended_by)));
            assert!(notes.at("end", ended_by).is_some(), "{ended_by} did not end");
            if index > 0 {
                let before = detail.steps[index - 1].output.as_ref().expect("an output")["by"].clone();
                let before = notes.at("end", before.as_str().expect("text"));
                assert!(before < notes.at("begin", ended_by), "{ended_by} began before what it needs");
            }
        } else {
            assert_eq!(printed, [""; 0]);
        }
    }
}

/// What the steps wrote themselves.
struct Notes {
    places: HashMap<(String, String), usize>,
    begun: HashMap<String, Vec<String>>,
}

impl Notes {
    fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file).expect("notes");
        let mut notes = Self { places: HashMap::new(), begun: HashMap::new() };
        for (place, line) in text.lines().enumerate() {
            let (what, marker) = line.split_once(' ').expect("two words");
            let twice = notes.places.insert((what.to_owned(), marker.to_owned()), place);
            assert_eq!(twice, None, "twice: {line}");
            if what == "begin" {
                let (attempt, _fence) = marker.rsplit_once('-').expect("a marker");
                notes.begun.entry(attempt.to_owned()).or_default().push(marker.to_owned());
            }
        }
        notes
    }

    /// The markers under which an attempt's command began, one for each lease.
    fn begun(&self, job: JobId, step: usize, attempt: u32) -> Vec<String> {
        self.begun.get(&format!("{job}-{step}-{attempt}")).cloned().unwrap_or_default()
    }

    fn at(&self, what: &str, marker: &str) -> Option<usize> {
        self.places.get(&(what.to_owned(), marker.to_owned())).copied()
    }
}

/// No process belongs to a job that has ended.
pub(crate) async fn no_process_is_left(jobs: &[JobId]) {
    let variables: Vec<String> = jobs.iter().map(|job| format!("STROEM_JOB_ID={job}\0")).collect();
    wait_for("no process of the jobs is left", async || {
        let environments = fs::read_dir("/proc").expect("proc").filter_map(|entry| {
            let entry = entry.expect("readable");
            let number = entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit());
            // Processes end while they are looked at.
            if number { fs::read(entry.path().join("environ")).ok() } else { None }
        });
        let mut texts = environments.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        !texts.any(|text| {
            text.contains("STROEM_JOB_ID=") && variables.iter().any(|variable| text.contains(variable))
        })
    })
    .await;
}
