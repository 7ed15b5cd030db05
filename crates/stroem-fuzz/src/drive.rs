//! The loop: takes an input of the corpus, changes it, shows it to the target and judges what happened. What is a
//! finding: a panic, a promise of the target that does not hold, too much time, too much memory.

#![expect(clippy::disallowed_methods, reason = "a fuzzer measures how long an input takes")]

use std::{
    collections::HashSet,
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{memory, mutate::mutate, random::Random, targets::Target};

/// How far a run goes; whichever limit comes first.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Where the numbers begin.
    pub seed: u64,
    /// Inputs at most.
    pub runs: u64,
    /// Time at most.
    pub time: Duration,
    /// An input that takes longer is a finding.
    pub time_per_input: Duration,
    /// A peak of memory above the one before by more than this is a finding.
    pub memory_bytes: u64,
    /// A file that always holds the current input, for what ends the process (a stack overflow).
    pub trace: Option<PathBuf>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            seed: 1,
            runs: u64::MAX,
            time: Duration::MAX,
            time_per_input: Duration::from_secs(5),
            memory_bytes: 512 << 20,
            trace: None,
        }
    }
}

/// An input that showed a mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What happened.
    pub what: String,
    /// The input.
    pub input: Vec<u8>,
}

/// What a run saw.
#[derive(Debug, Default)]
pub struct Summary {
    /// Inputs shown.
    pub runs: u64,
    /// Inputs that were new in kind and joined the corpus.
    pub kept: usize,
    /// The slowest input.
    pub slowest: Duration,
    /// The most memory above the beginning of its batch.
    pub memory_bytes: u64,
    /// Mistakes, each kind once.
    pub findings: Vec<Finding>,
}

/// Inputs between two looks at the memory.
const BATCH: u64 = 64;

/// Fuzzes one target.
pub fn drive(target: &dyn Target, limits: &Limits) -> Summary {
    let started = Instant::now();
    let watch = Watch::start(target.name(), limits.time_per_input);
    let mut corpus = target.seeds();
    let mut random = Random::new(limits.seed);
    let mut seen = HashSet::new();
    let mut known = HashSet::new();
    let mut summary = Summary::default();
    let mut batch = Vec::new();
    memory::reset_peak();
    let mut before = memory::peak_bytes();
    let seeds = corpus.len() as u64;
    while summary.runs < limits.runs && started.elapsed() < limits.time {
        let fresh = summary.runs >= seeds;
        let input = if fresh {
            let (input, other) = (random.pick(&corpus), random.pick(&corpus));
            mutate(&mut random.clone(), input, other, target.words())
        } else {
            corpus[summary.runs as usize].clone()
        };
        // The copy above left the numbers where they were: each input begins at its own place of the sequence.
        random.next();
        summary.runs += 1;
        let (result, took) = show(target, limits, &watch, &input);
        summary.slowest = summary.slowest.max(took);
        match result {
            Ok(kind) if seen.insert(kind) && fresh => {
                corpus.push(input.clone());
                summary.kept += 1;
            }
            Ok(_) => {}
            Err(what) => add(&mut summary, &mut known, what, &input),
        }
        // On a busy machine anything may wait; what is slow each time is slow by itself.
        let slow_again = || (0..2).all(|_| show(target, limits, &watch, &input).1 > limits.time_per_input);
        if took > limits.time_per_input && slow_again() {
            add(&mut summary, &mut known, "too slow".to_owned(), &input);
        }
        batch.push(input);
        if summary.runs.is_multiple_of(BATCH) {
            let grown = memory::peak_bytes().saturating_sub(before);
            summary.memory_bytes = summary.memory_bytes.max(grown);
            if grown > limits.memory_bytes {
                let greedy = greediest(target, limits, &watch, &batch);
                add(&mut summary, &mut known, format!("{} MiB of memory", grown >> 20), &greedy);
            }
            batch.clear();
            memory::reset_peak();
            before = memory::peak_bytes();
        }
    }
    summary
}

/// Shows one input: what the target says of it, or what went wrong; and how long it took.
fn show(
    target: &dyn Target,
    limits: &Limits,
    watch: &Watch,
    input: &[u8],
) -> (Result<u64, String>, Duration) {
    if let Some(trace) = &limits.trace {
        // Without the file only the input of a crash is lost, not the crash.
        let _unwritable = std::fs::write(trace, input);
    }
    let started = Instant::now();
    watch.begin(input);
    let result = panic::catch_unwind(AssertUnwindSafe(|| target.run(input)));
    watch.end();
    let result = result.unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("without words");
        Err(format!("panic: {text}"))
    });
    (result, started.elapsed())
}

/// Keeps one finding of a kind: the text without its numbers and quoted parts.
fn add(summary: &mut Summary, known: &mut HashSet<String>, what: String, input: &[u8]) {
    let kind: String = what.chars().filter(|c| !c.is_ascii_digit()).take(60).collect();
    if known.insert(kind) {
        summary.findings.push(Finding { what, input: input.to_vec() });
    }
}

/// The input of a batch that needs the most memory when each is shown alone.
fn greediest(target: &dyn Target, limits: &Limits, watch: &Watch, batch: &[Vec<u8>]) -> Vec<u8> {
    let need = |input: &Vec<u8>| {
        memory::reset_peak();
        let before = memory::peak_bytes();
        drop(show(target, limits, watch, input));
        memory::peak_bytes().saturating_sub(before)
    };
    batch.iter().max_by_key(|input| need(input)).cloned().unwrap_or_default()
}

/// The input that is shown now, and since when.
type Current = Arc<Mutex<Option<(Instant, Vec<u8>)>>>;

/// Ends the process when an input does not come back: a loop cannot be left from outside. The input is kept first.
struct Watch {
    current: Current,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Watch {
    fn start(name: &'static str, time_per_input: Duration) -> Self {
        let current: Current = Arc::default();
        let stop = Arc::new(AtomicBool::new(false));
        let (watched, stopped) = (Arc::clone(&current), Arc::clone(&stop));
        let look = move || {
            while !stopped.load(Ordering::Relaxed) {
                thread::park_timeout(Duration::from_secs(1));
                let current = watched.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some((since, input)) = current.as_ref()
                    && since.elapsed() > time_per_input * 20
                {
                    let path = std::env::temp_dir().join(format!("stroem-fuzz-{name}-hang"));
                    let kept = std::fs::write(&path, input).is_ok();
                    report_hang(kept, &path);
                    std::process::abort();
                }
            }
        };
        let thread = thread::Builder::new().name("watch".to_owned()).spawn(look).ok();
        Self { current, stop, thread }
    }

    fn begin(&self, input: &[u8]) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), input.to_vec()));
    }

    fn end(&self) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[expect(clippy::print_stderr, reason = "the process ends here, and nothing else can say why")]
fn report_hang(kept: bool, path: &std::path::Path) {
    let place =
        if kept { format!("it is kept in {}", path.display()) } else { "it could not be kept".to_owned() };
    eprintln!("an input does not come back; {place}");
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It never panics, and what it would say is known by then.
            let _ended = thread.join();
        }
    }
}
