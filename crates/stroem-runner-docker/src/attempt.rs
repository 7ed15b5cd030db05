//! The life of one attempt: image, container, files, start, output, end.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use bollard::{
    body_try_stream,
    errors::Error,
    models::ContainerState,
    query_parameters::{CreateContainerOptions, KillContainerOptions, UploadToContainerOptions},
};
use bytes::Bytes;
use futures_util::StreamExt;
use stroem_core::{ByteSize, Exit, Outcome, Runtime, StepRun};
use stroem_runner::{EventSender, OutputStream, RunRequest, RunnerEvent, StopReason, StopReceiver};
use tokio::{sync::watch, time::timeout};

use crate::{
    DockerRunnerOptions,
    container::{Ground, Plan},
    contents,
    engine::{Engine, status, words},
    images::Images,
    logs::Logs,
    report::{self, Report},
    rules,
    upload::{Contents, archive},
    users,
};

/// How often a running container is looked at, should the engine not tell of its end.
const LOOK: Duration = Duration::from_secs(15);
/// Between tries to reach an engine that went away.
pub(crate) const AGAIN: Duration = Duration::from_secs(1);
/// Tries before a step whose engine went away is given up.
pub(crate) const TRIES: u32 = 120;
/// How long a container may take to end once it was killed.
const KILL_LIMIT: Duration = Duration::from_secs(30);
/// How long a follower may take to see the end that the engine told of.
const FOLLOWER: Duration = Duration::from_millis(250);
/// How long the files of a step may take to arrive.
const UPLOAD: Duration = Duration::from_secs(3_600);
/// A signal's number as a shell adds it to make an exit code.
const SIGNAL_CODES: std::ops::RangeInclusive<i64> = 129..=159;
/// The bytes of one output event.
const EVENT_BYTES: usize = 64 << 10;

/// One attempt and what it needs.
pub(crate) struct Attempt<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) images: &'a Images,
    pub(crate) options: &'a DockerRunnerOptions,
    pub(crate) request: &'a RunRequest,
    pub(crate) events: &'a EventSender,
    /// The container's name.
    pub(crate) name: String,
}

/// How a container ended.
struct End {
    code: i64,
    state: Option<ContainerState>,
}

impl Attempt<'_> {
    /// Everything from the image to the outcome; the container is left for whoever removes it.
    pub(crate) async fn run(&self, stop: &mut StopReceiver) -> Result<Outcome, Outcome> {
        let plan = self.prepare(stop).await?;
        for note in &plan.notes {
            self.send(RunnerEvent::Note(note.clone())).await;
        }
        if let Some(scope) = self.engine.scope() {
            let runtime = Runtime { scope, handle: self.name.clone(), mark: None };
            self.send(RunnerEvent::Placed(runtime)).await;
        }
        self.send(RunnerEvent::Prepared).await;
        if let Some(reason) = *stop.borrow() {
            return Err(reason.outcome());
        }
        if let Err(error) = self.engine.docker.start_container(&self.name, None).await {
            return Err(self.engine.failed("the container cannot be started", &error));
        }
        self.send(RunnerEvent::Started { pid: None }).await;
        self.follow(plan.memory, stop).await
    }

    async fn prepare(&self, stop: &mut StopReceiver) -> Result<Plan, Outcome> {
        let facts = self
            .engine
            .facts()
            .await
            .map_err(|error| self.engine.failed("the engine cannot be used", &error))?;
        let contents = self.contents().await?;
        let image = self.image();
        let spec = &self.request.spec;
        let granted = rules::grant(self.options, &spec.container, matches!(spec.run, StepRun::Script(_)))?;
        let _held = self.images.hold(image);
        let provided = self.images.provide(image, granted.pull, self.events);
        let config = or_stopped(stop, provided).await??;
        let (request, options) = (self.request, self.options);
        let ground = Ground { request, options, facts, image, config: &config, granted: &granted };
        let plan = ground.plan()?;
        self.create(&plan).await?;
        if let Some(contents) = contents {
            or_stopped(stop, self.upload(contents, &plan)).await??;
        }
        Ok(plan)
    }

    fn image(&self) -> &str {
        match &self.request.spec.run {
            StepRun::Script(_) => &self.options.runner_image,
            StepRun::Image(image) => &image.image,
        }
    }

    /// What a script step finds in its container; nothing for an image step.
    async fn contents(&self) -> Result<Option<Contents>, Outcome> {
        let StepRun::Script(script) = &self.request.spec.run else { return Ok(None) };
        let (request, script) = (self.request.clone(), script.clone());
        let checked = tokio::task::spawn_blocking(move || contents::of(&request, &script)).await;
        checked.unwrap_or_else(|error| Err(Outcome::RunnerError { message: error.to_string() })).map(Some)
    }

    async fn create(&self, plan: &Plan) -> Result<(), Outcome> {
        let options = CreateContainerOptions { name: Some(self.name.clone()), platform: String::new() };
        let created = self.engine.docker.create_container(Some(options), plan.body.clone()).await;
        let created = created.map_err(|error| self.engine.failed("the container cannot be made", &error))?;
        for warning in created.warnings {
            self.send(RunnerEvent::Note(format!("the engine says: {warning}"))).await;
        }
        Ok(())
    }

    async fn upload(&self, mut contents: Contents, plan: &Plan) -> Result<(), Outcome> {
        let docker = self.engine.docker.clone().with_timeout(UPLOAD);
        let failed = |error: &Error| Outcome::RunnerError {
            message: format!("the step's files cannot be put into the container: {}", words(error)),
        };
        contents.owner =
            users::resolve(&docker, &self.name, &plan.user).await.map_err(|error| failed(&error))?;
        for (path, contents) in contents::parts(contents, plan.read_only) {
            let options = UploadToContainerOptions { path, ..UploadToContainerOptions::default() };
            let broken = Arc::new(Mutex::new(None));
            let keep = Arc::clone(&broken);
            let body = archive(contents).map(move |part| {
                part.inspect_err(|error| {
                    *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
                })
            });
            let sent = docker.upload_to_container(&self.name, Some(options), body_try_stream(body)).await;
            let own = broken.lock().unwrap_or_else(PoisonError::into_inner).take();
            match (sent, own) {
                (Ok(()), _) => {}
                (Err(_), Some(own)) => {
                    return Err(Outcome::RunnerError {
                        message: format!("the workspace cannot be read: {own}"),
                    });
                }
                (Err(error), None) => return Err(failed(&error)),
            }
        }
        Ok(())
    }

    /// From the start to the end, with all output.
    pub(crate) async fn follow(
        &self,
        memory: Option<ByteSize>,
        stop: &mut StopReceiver,
    ) -> Result<Outcome, Outcome> {
        let mut logs = Logs::new(&self.engine.docker, &self.name, self.events);
        let (end, reason) = {
            let (over, is_over) = watch::channel(false);
            let arrived = logs.arrived();
            let mut following = pin!(self.keep_following(&mut logs, is_over));
            let ended = tokio::select! {
                ended = self.end_or_stop(stop) => ended?,
                () = &mut following => unreachable!("it ends only when it is told that the container has"),
            };
            over.send_replace(true);
            // It ends by itself. What a follower that gets no further has not handed over, the second look finds.
            let mut before = arrived.load(Ordering::Relaxed);
            while timeout(FOLLOWER, &mut following).await.is_err() {
                let now = arrived.load(Ordering::Relaxed);
                if std::mem::replace(&mut before, now) == now {
                    break;
                }
            }
            ended
        };
        let rest = self.rest(&mut logs).await;
        let report = match &self.request.spec.run {
            StepRun::Script(_) if reason.is_none() => report::fetch(&self.engine.docker, &self.name).await,
            StepRun::Script(_) | StepRun::Image(_) => Report::default(),
        };
        rest?;
        for left in &report.left {
            let text =
                format!("background process {left} was still running after the script ended and was killed");
            self.send(RunnerEvent::Note(text)).await;
        }
        if report.peak.is_some() {
            self.send(RunnerEvent::Usage { peak_memory: report.peak }).await;
        }
        if let Some(reason) = reason {
            return Ok(reason.outcome());
        }
        let outcome = outcome(&end, memory, &report);
        if outcome == Outcome::Succeeded
            && let Some(text) = &report.output
        {
            self.send_output(text, logs.at_line_start).await;
        }
        Ok(outcome)
    }

    /// Follows until the container is over, again and again: a connection may break before.
    async fn keep_following(&self, logs: &mut Logs<'_>, mut is_over: watch::Receiver<bool>) {
        loop {
            if let Err(error) = logs.follow().await {
                tracing::debug!(container = self.name, error = words(&error), "a log breaks off");
            }
            // Also when the sender is gone.
            if timeout(AGAIN, is_over.wait_for(|over| *over)).await.is_ok() {
                return;
            }
        }
    }

    /// What was printed and has not arrived.
    async fn rest(&self, logs: &mut Logs<'_>) -> Result<(), Outcome> {
        let mut tries = 0;
        loop {
            match logs.rest().await {
                Ok(()) => return Ok(()),
                Err(error) if tries >= TRIES || status(&error).is_some() => {
                    return Err(self.engine.failed("the container's log cannot be read", &error));
                }
                Err(_) => tries += 1,
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn end_or_stop(&self, stop: &mut StopReceiver) -> Result<(End, Option<StopReason>), Outcome> {
        let mut ended = pin!(self.ended());
        let reason = tokio::select! {
            biased;
            end = &mut ended => return Ok((end?, None)),
            reason = stopped(stop) => reason,
        };
        if reason == StopReason::LetGo {
            return Err(reason.outcome());
        }
        self.signal("SIGTERM").await;
        let grace = self.request.grace.as_duration();
        if let Ok(end) = timeout(grace, &mut ended).await {
            return Ok((end?, Some(reason)));
        }
        self.signal("SIGKILL").await;
        match timeout(KILL_LIMIT, &mut ended).await {
            Ok(end) => Ok((end?, Some(reason))),
            Err(_) => {
                let text = format!("the container {} cannot be killed", self.name);
                self.send(RunnerEvent::Note(text)).await;
                Ok((End { code: 137, state: None }, Some(reason)))
            }
        }
    }

    async fn signal(&self, signal: &str) {
        let options = KillContainerOptions { signal: signal.to_owned() };
        let sent = self.engine.docker.kill_container(&self.name, Some(options)).await;
        // 409: it has ended already.
        if let Err(error) =
            sent.or_else(|error| if status(&error) == Some(409) { Ok(()) } else { Err(error) })
        {
            tracing::warn!(
                container = self.name,
                signal,
                error = words(&error),
                "a container cannot be signalled"
            );
        }
    }

    /// Waits for the end of the container, over broken connections and restarts of the engine.
    async fn ended(&self) -> Result<End, Outcome> {
        let docker = &self.engine.docker;
        let mut tries = 0;
        loop {
            let mut wait = docker.wait_container(&self.name, None);
            // A code other than 0 comes as an error; what it means stands in the container's state.
            if let Ok(Some(Ok(told))) = timeout(LOOK, wait.next()).await
                && told.status_code == 0
            {
                return Ok(End { code: 0, state: None });
            }
            match docker.inspect_container(&self.name, None).await {
                Ok(found) => {
                    tries = 0;
                    let state = found.state.unwrap_or_default();
                    if state.running != Some(true) {
                        return Ok(End { code: state.exit_code.unwrap_or(-1), state: Some(state) });
                    }
                }
                Err(error) if status(&error) == Some(404) => {
                    let message = "somebody removed the step's container".to_owned();
                    return Err(Outcome::RunnerError { message });
                }
                Err(error) if tries >= TRIES => {
                    return Err(self.engine.failed("the engine went away while the step ran", &error));
                }
                Err(_) => {
                    tries += 1;
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    /// What a script wrote to `STROEM_OUTPUT`, as the last line of its output.
    async fn send_output(&self, text: &[u8], at_line_start: bool) {
        let mut line = Vec::with_capacity(text.len() + 16);
        if !at_line_start {
            line.push(b'\n');
        }
        line.extend_from_slice(b"OUTPUT: ");
        line.extend(text.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
        line.push(b'\n');
        let mut line = Bytes::from(line);
        while !line.is_empty() {
            let bytes = line.split_to(line.len().min(EVENT_BYTES));
            self.send(RunnerEvent::Output { stream: OutputStream::Stdout, bytes }).await;
        }
    }

    pub(crate) async fn send(&self, event: RunnerEvent) {
        // When nobody listens any more the event is discarded.
        let _ = self.events.send(event).await;
    }
}

fn outcome(end: &End, memory: Option<ByteSize>, report: &Report) -> Outcome {
    if let Some(message) = &report.refused {
        return Outcome::InvalidInput { message: message.clone() };
    }
    let was_out_of_memory = end.state.as_ref().and_then(|state| state.oom_killed).unwrap_or(false);
    match end.code {
        0 => Outcome::Succeeded,
        _ if was_out_of_memory => Outcome::OutOfMemory { limit: memory, peak: report.peak },
        code if SIGNAL_CODES.contains(&code) => Outcome::Failed { exit: Exit::Signal((code - 128) as i32) },
        code => Outcome::Failed { exit: Exit::ExitCode(i32::try_from(code).unwrap_or(i32::MAX)) },
    }
}

/// A future, unless a stop comes first.
pub(crate) async fn or_stopped<T>(
    stop: &mut StopReceiver,
    future: impl Future<Output = T>,
) -> Result<T, Outcome> {
    tokio::select! {
        biased;
        reason = stopped(stop) => Err(reason.outcome()),
        value = future => Ok(value),
    }
}

/// Waits for a stop; for ever when nobody can ask for one any more.
async fn stopped(stop: &mut StopReceiver) -> StopReason {
    match stop.wait_for(Option::is_some).await.map(|reason| *reason) {
        Ok(Some(reason)) => reason,
        Ok(None) | Err(_) => std::future::pending().await,
    }
}
