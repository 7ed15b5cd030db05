//! A runner that follows a script of its own, line by line:
//!
//! ```text
//! place   mark PLACE   print TEXT   err TEXT   note TEXT   lines N   files   wait GATE   hold   exit N   error TEXT   panic
//! ```

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use stroem_core::{AttemptKey, Exit, LeaseKey, Outcome, RunnerKind, Runtime, ScriptBody, StepRun};
use stroem_runner::{
    EventSender, OutputStream, RunRequest, Runner, RunnerEvent, StopReason, StopReceiver, Unavailable,
};
use tokio::sync::watch;

#[derive(Clone)]
pub(crate) struct TestRunner {
    gates: Arc<watch::Sender<BTreeSet<String>>>,
    runs: Arc<Mutex<HashMap<LeaseKey, u32>>>,
    running: Arc<AtomicUsize>,
    most_at_once: Arc<AtomicUsize>,
    stops: Arc<watch::Sender<Vec<StopReason>>>,
    pub(crate) cleaned: Arc<Mutex<Vec<AttemptKey>>>,
    pub(crate) leftovers: Arc<Mutex<Vec<LeaseKey>>>,
    pub(crate) adopted: Arc<Mutex<Vec<Runtime>>>,
}

impl TestRunner {
    pub(crate) fn new() -> Self {
        Self {
            gates: Arc::new(watch::Sender::default()),
            runs: Arc::default(),
            running: Arc::default(),
            most_at_once: Arc::default(),
            stops: Arc::new(watch::Sender::default()),
            cleaned: Arc::default(),
            leftovers: Arc::default(),
            adopted: Arc::default(),
        }
    }

    /// Lets steps pass that wait at a gate.
    pub(crate) fn open_gate(&self, name: &str) {
        self.gates.send_modify(|gates| {
            gates.insert(name.to_owned());
        });
    }

    pub(crate) fn runs(&self, lease: LeaseKey) -> u32 {
        self.runs.lock().unwrap().get(&lease).copied().unwrap_or(0)
    }

    pub(crate) fn most_at_once(&self) -> usize {
        self.most_at_once.load(Ordering::SeqCst)
    }

    pub(crate) fn stops(&self) -> Vec<StopReason> {
        self.stops.borrow().clone()
    }

    /// Waits until a step was stopped.
    pub(crate) async fn until_stopped(&self) {
        let mut stops = self.stops.subscribe();
        stops.wait_for(|stops| !stops.is_empty()).await.unwrap();
    }

    async fn follow(&self, request: &RunRequest, events: &EventSender, stop: &StopReceiver) -> Outcome {
        let StepRun::Script(script) = &request.spec.run else { panic!("only scripts") };
        let ScriptBody::Inline(text) = &script.body else { panic!("only inline scripts") };
        send(events, RunnerEvent::Prepared).await;
        send(events, RunnerEvent::Started { pid: None }).await;
        let output = |stream, bytes: Vec<u8>| RunnerEvent::Output { stream, bytes: Bytes::from(bytes) };
        for line in text.lines() {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "place" => send(events, RunnerEvent::Placed(runtime())).await,
                "mark" => send(events, RunnerEvent::Mark(rest.to_owned())).await,
                "print" => send(events, output(OutputStream::Stdout, format!("{rest}\n").into())).await,
                "err" => send(events, output(OutputStream::Stderr, format!("{rest}\n").into())).await,
                "note" => send(events, RunnerEvent::Note(rest.to_owned())).await,
                "lines" => {
                    for number in 0..rest.parse().unwrap() {
                        let line = format!("{:<90}{number:>9}\n", "line");
                        send(events, output(OutputStream::Stdout, line.into())).await;
                    }
                }
                "files" => {
                    for name in files(request.workspace.as_deref().unwrap()) {
                        send(events, output(OutputStream::Stdout, format!("{name}\n").into())).await;
                    }
                }
                "wait" => {
                    if let Some(reason) = self.wait(rest, stop).await {
                        self.stops.send_modify(|stops| stops.push(reason));
                        return stopped(reason);
                    }
                }
                "exit" => return Outcome::Failed { exit: Exit::ExitCode(rest.parse().unwrap()) },
                "error" => return Outcome::RunnerError { message: rest.to_owned() },
                "panic" => panic!("as asked for"),
                other => panic!("no such word: {other}"),
            }
        }
        Outcome::Succeeded
    }

    async fn wait(&self, gate: &str, stop: &StopReceiver) -> Option<StopReason> {
        let (mut gates, mut stop) = (self.gates.subscribe(), stop.clone());
        tokio::select! {
            open = gates.wait_for(|open| open.contains(gate)) => {
                open.unwrap();
                None
            }
            reason = stop.wait_for(Option::is_some) => *reason.unwrap(),
        }
    }
}

#[async_trait]
impl Runner for TestRunner {
    fn kind(&self) -> RunnerKind {
        RunnerKind::Local
    }

    async fn health(&self) -> Result<(), Unavailable> {
        Ok(())
    }

    async fn run(&self, request: RunRequest, events: EventSender, stop: StopReceiver) -> Outcome {
        *self.runs.lock().unwrap().entry(request.lease).or_default() += 1;
        let at_once = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(at_once, Ordering::SeqCst);
        std::fs::create_dir_all(&request.scratch).unwrap();
        let outcome = self.follow(&request, &events, &stop).await;
        std::fs::remove_dir_all(&request.scratch).unwrap();
        self.running.fetch_sub(1, Ordering::SeqCst);
        outcome
    }

    async fn scope(&self) -> Option<String> {
        Some(runtime().scope)
    }

    async fn adopt(
        &self,
        runtime: &Runtime,
        request: RunRequest,
        events: EventSender,
        stop: StopReceiver,
    ) -> Outcome {
        self.adopted.lock().unwrap().push(runtime.clone());
        self.run(request, events, stop).await
    }

    async fn leftovers(&self) -> Result<Vec<LeaseKey>, Unavailable> {
        Ok(self.leftovers.lock().unwrap().clone())
    }

    async fn cleanup(&self, attempt: AttemptKey, scratch: &Path) {
        self.cleaned.lock().unwrap().push(attempt);
        self.leftovers.lock().unwrap().retain(|lease| lease.attempt != attempt);
        if scratch.exists() {
            std::fs::remove_dir_all(scratch).unwrap();
        }
    }
}

/// Where it says that its attempts are.
pub(crate) fn runtime() -> Runtime {
    Runtime { scope: "test".to_owned(), handle: "thing".to_owned(), mark: None }
}

async fn send(events: &EventSender, event: RunnerEvent) {
    events.send(event).await.unwrap();
}

fn files(folder: &Path) -> Vec<String> {
    let names =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

fn stopped(reason: StopReason) -> Outcome {
    match reason {
        StopReason::Cancelled => Outcome::Cancelled,
        StopReason::TimedOut { limit } => Outcome::TimedOut { limit },
        StopReason::LeaseLost | StopReason::Drain | StopReason::LetGo => Outcome::WorkerLost,
    }
}
