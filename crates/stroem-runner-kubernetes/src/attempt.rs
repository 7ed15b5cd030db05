//! The life of one attempt: create, wait for its container, follow, stop, remove.

use std::{collections::BTreeSet, future::pending, pin::Pin, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use stroem_core::{Outcome, Runtime};
use stroem_runner::{EventSender, RunRequest, RunnerEvent, StopReason, StopReceiver};
use tokio::{
    sync::watch,
    time::{Sleep, sleep, timeout},
};

use crate::{
    KubernetesOptions,
    blueprint::{Blueprint, grace_secs},
    cluster::Cluster,
    control::Control,
    decide::{Decision, Known},
    entries::Entries,
    pending::given_up,
    reader::{Facts, Reader},
    script::invalid,
    status::{self, State, Waiting, WaitingFor},
    watch::{View, Watched},
};

/// Between tries to create something that was refused.
pub(crate) const AGAIN: Duration = Duration::from_secs(2);
/// How long a creation may take.
const CREATION: Duration = Duration::from_secs(30);
/// How long events that say why a pod did not begin are waited for once that is decided. A busy kubelet sends them late.
const EVIDENCE: Duration = Duration::from_secs(2);
/// Events are a reason to mention only when a pod hangs: most cure themselves.
const PATIENCE: Duration = Duration::from_secs(10);
/// What an old kubelet needs beyond the grace until a pod is gone.
const REMOVAL_LAG: Duration = Duration::from_secs(20);
/// Lines of an init container's log in the outcome.
const INIT_LINES: u32 = 5;

/// One attempt on one cluster.
pub(crate) struct Attempt<'a> {
    pub(crate) cluster: &'a Arc<Cluster>,
    pub(crate) options: &'a KubernetesOptions,
    pub(crate) request: &'a RunRequest,
    pub(crate) blueprint: &'a Blueprint,
    pub(crate) watched: Watched,
    pub(crate) events: &'a EventSender,
    pub(crate) stop: StopReceiver,
    pub(crate) told: BTreeSet<String>,
}

/// How an attempt begins here.
#[derive(Debug)]
pub(crate) enum Begin {
    /// It is created.
    Anew,
    /// Another process created it and read its log up to a place.
    Adopted { place: Option<String> },
}

/// Why something was not created.
enum Refused {
    /// It may work later; the cluster has no room.
    Full(String),
    /// It may work later.
    Unreachable(String),
    Never(Outcome),
}

/// Removes what was created if the attempt is dropped.
struct Guard<'a> {
    cluster: &'a Arc<Cluster>,
    blueprint: &'a Blueprint,
    is_armed: bool,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if self.is_armed {
            let (cluster, name) = (Arc::clone(self.cluster), self.blueprint.name.clone());
            let has_secret = !self.blueprint.secret.is_empty();
            self.cluster.tasks.spawn(async move { cluster.remove(&name, has_secret).await });
        }
    }
}

/// Takes an attempt through its life.
pub(crate) async fn run(
    cluster: &Arc<Cluster>,
    options: &KubernetesOptions,
    request: &RunRequest,
    events: &EventSender,
    stop: StopReceiver,
) -> Outcome {
    if let Some(reason) = *stop.borrow() {
        return reason.outcome();
    }
    let blueprint = match nonce().and_then(|nonce| Blueprint::new(request, options, &nonce)) {
        Ok(blueprint) => blueprint,
        Err(outcome) => return outcome,
    };
    let platform = (cluster, options);
    pass(platform, request, &blueprint, (events, stop), Begin::Anew).await
}

/// Follows a pod until it is over or somebody else does, and removes it in the first case.
pub(crate) async fn pass(
    (cluster, options): (&Arc<Cluster>, &KubernetesOptions),
    request: &RunRequest,
    blueprint: &Blueprint,
    (events, stop): (&EventSender, StopReceiver),
    begin: Begin,
) -> Outcome {
    cluster.watch();
    let watched = cluster.watches.watch(&blueprint.name);
    let mut guard = Guard { cluster, blueprint, is_armed: true };
    let told = BTreeSet::new();
    let mut attempt = Attempt { cluster, options, request, blueprint, watched, events, stop, told };
    let (begun, place) = match begin {
        Begin::Anew => (attempt.begin().await, None),
        Begin::Adopted { place } => (attempt.take_over().await, place),
    };
    let outcome = match begun {
        Ok(()) => attempt.follow(place.as_deref()).await,
        Err(outcome) => outcome,
    };
    if outcome != Outcome::WorkerLost || *attempt.stop.borrow() != Some(StopReason::LetGo) {
        attempt.remove().await;
    }
    guard.is_armed = false;
    outcome
}

impl Attempt<'_> {
    /// Creates everything and waits until the step's container began.
    async fn begin(&mut self) -> Result<(), Outcome> {
        let mut budget = Box::pin(sleep(self.options.pending_timeout));
        let pod = self.create(&mut budget, false, None).await?;
        self.watched.created();
        let runtime = Runtime { scope: self.cluster.scope.clone(), handle: self.handle(), mark: None };
        self.send(RunnerEvent::Placed(runtime)).await;
        if !self.blueprint.secret.is_empty() {
            self.create(&mut budget, true, Some(&pod)).await?;
        }
        self.until_begun(budget).await
    }

    /// Creates the pod, or its Secret, as soon as the cluster takes it.
    pub(crate) async fn create(
        &mut self,
        budget: &mut Pin<Box<Sleep>>,
        is_secret: bool,
        pod: Option<&Pod>,
    ) -> Result<Pod, Outcome> {
        loop {
            // Never given up half-way: it may be created after all, and then somebody has to remove it.
            let refused = match timeout(CREATION, self.try_create(pod.filter(|_| is_secret))).await {
                Ok(Ok(pod)) => return Ok(pod),
                Ok(Err(refused)) => refused,
                Err(_) => Refused::Unreachable("no answer".to_owned()),
            };
            let at_last = match refused {
                Refused::Never(outcome) => return Err(outcome),
                Refused::Full(message) => {
                    self.note(format!("pod pending: {message}")).await;
                    Outcome::Unschedulable { message }
                }
                Refused::Unreachable(message) => {
                    self.note(format!("pod pending: the cluster cannot be reached: {message}")).await;
                    Outcome::RunnerError { message: format!("the cluster cannot be reached: {message}") }
                }
            };
            tokio::select! {
                reason = stopped(&mut self.stop) => return Err(reason.outcome()),
                () = budget.as_mut() => return Err(at_last),
                () = sleep(AGAIN) => {}
            }
        }
    }

    async fn try_create(&self, owner: Option<&Pod>) -> Result<Pod, Refused> {
        let created = match owner {
            Some(pod) => {
                let created = self.cluster.create_secret(pod, &self.blueprint.secret).await;
                created.map(|()| pod.clone())
            }
            None => self.cluster.pods.create(&PostParams::default(), &self.blueprint.pod).await,
        };
        let status = match created {
            Ok(pod) => return Ok(pod),
            Err(kube::Error::Api(status)) => status,
            Err(error) => return Err(Refused::Unreachable(error.to_string())),
        };
        let failed = |message: String| Refused::Never(Outcome::RunnerError { message });
        Err(match status.code {
            // The reply to an earlier try was lost.
            409 => match self.cluster.find(&self.blueprint.name).await {
                Ok(Some(pod)) => return Ok(pod),
                Ok(None) => Refused::Unreachable(status.message),
                Err(error) => Refused::Unreachable(error.to_string()),
            },
            400 | 413 | 422 => {
                Refused::Never(invalid(&format!("the cluster refuses the pod: {}", status.message)))
            }
            // Both a quota and a missing permission are forbidden; only the latter stays so.
            403 if self.cluster.may_create_pods().await => Refused::Full(status.message),
            401 | 403 | 404 => failed(format!("the cluster refuses the pod: {}", status.message)),
            _ => Refused::Unreachable(status.message),
        })
    }

    pub(crate) async fn until_begun(&mut self, mut budget: Pin<Box<Sleep>>) -> Result<(), Outcome> {
        let mut patience = Box::pin(sleep(PATIENCE));
        let (mut is_late, mut is_hanging) = (false, false);
        loop {
            let view = self.watched.view.borrow_and_update().clone();
            let mut waiting = self.look(&view).await?;
            if let Some(State::Running | State::Ended(_)) = view.pod.as_deref().map(status::state) {
                return Ok(());
            }
            if waiting.is_none() && is_hanging {
                let message = view.evidence();
                waiting = (!message.is_empty()).then_some(Waiting { kind: WaitingFor::Start, message });
            }
            if let Some(waiting) = &waiting {
                self.note(format!("pod pending: {}", waiting.message)).await;
            }
            match waiting {
                Some(waiting) if is_late || waiting.kind == WaitingFor::ImpossibleImage => {
                    return Err(given_up(waiting, &self.with_evidence(view).await));
                }
                _ => {}
            }
            tokio::select! {
                reason = stopped(&mut self.stop) => return Err(reason.outcome()),
                _ = self.watched.view.changed() => {}
                () = budget.as_mut(), if !is_late => is_late = true,
                () = patience.as_mut(), if !is_hanging => is_hanging = true,
            }
        }
    }

    /// Waits a little for the events that say why: they come by another watch than the pod's state.
    async fn with_evidence(&mut self, mut view: View) -> View {
        let mut patience = Box::pin(sleep(EVIDENCE));
        while view.evidence().is_empty() {
            tokio::select! {
                changed = self.watched.view.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    view = self.watched.view.borrow_and_update().clone();
                }
                () = patience.as_mut() => break,
            }
        }
        view
    }

    /// What a pod waits for; an outcome when it never begins.
    async fn look(&self, view: &View) -> Result<Option<Waiting>, Outcome> {
        let facts = Facts::default();
        let known = self.known(&facts, view, None, true);
        let state = view.pod.as_deref().map(status::state);
        let is_marked = view.pod.as_deref().is_some_and(|pod| pod.metadata.deletion_timestamp.is_some());
        let loss = match state {
            Some(State::Lost(loss)) => loss,
            Some(State::Running | State::Ended(_)) => return Ok(None),
            _ if view.is_gone || is_marked => known.taken_away(),
            Some(State::Pending(waiting)) => return Ok(waiting),
            None => return Ok(None),
        };
        Err(self.resolve(known.lost(&loss)).await)
    }

    /// Follows the container to its end, or to its stop.
    async fn follow(&mut self, place: Option<&str>) -> Outcome {
        self.send(RunnerEvent::Prepared).await;
        if self.blueprint.nonce.is_none() {
            self.send(RunnerEvent::Started { pid: None }).await;
        }
        let place = place.and_then(Entries::at);
        let is_started = place.is_some() && self.blueprint.nonce.is_some();
        if is_started {
            self.send(RunnerEvent::Started { pid: None }).await;
        }
        // What comes before a mark is not read again, and the wrapper's word that it starts is there.
        let (sender, mut facts) = watch::channel(Facts { is_started, ..Facts::default() });
        let mut view = self.watched.view.clone();
        let reader = Reader {
            cluster: Arc::clone(self.cluster),
            pod: self.blueprint.name.clone(),
            events: self.events.clone(),
            view: view.clone(),
            facts: sender,
            entries: place.unwrap_or_default(),
            control: self.blueprint.nonce.as_deref().map(Control::new),
            is_at_line_start: true,
            since_mark: 0,
        };
        let reading = reader.run();
        tokio::pin!(reading);
        let (mut is_read, mut stopping) = (false, None);
        let mut timer: Option<Pin<Box<Sleep>>> = None;
        let mut stop_timer: Option<Pin<Box<Sleep>>> = None;
        let mut terminating: Option<Pin<Box<dyn Future<Output = ()> + Send + '_>>> = None;
        let decision = loop {
            let decision = self.known(&facts.borrow(), &view.borrow(), stopping, is_read).decide();
            let fallback = match decision {
                Decision::Wait => {
                    timer = None;
                    None
                }
                Decision::WaitAtMost(limit, outcome) => {
                    timer.get_or_insert_with(|| Box::pin(sleep(limit)));
                    Some(outcome)
                }
                decided => break decided,
            };
            let may_stop = stopping.is_none() && facts.borrow().code.is_none() && !has_ended(&view.borrow());
            tokio::select! {
                biased;
                () = &mut reading, if !is_read => is_read = true,
                Ok(()) = facts.changed(), if !is_read => {}
                Ok(()) = view.changed() => {}
                reason = stopped(&mut self.stop), if may_stop => {
                    if reason == StopReason::LetGo {
                        break Decision::Done(reason.outcome());
                    }
                    stopping = Some(reason);
                    let grace = grace_secs(self.request);
                    stop_timer = Some(Box::pin(sleep(Duration::from_secs(grace.into()) + REMOVAL_LAG)));
                    terminating = Some(Box::pin(terminate(self.cluster, &self.blueprint.name, grace)));
                }
                () = elapsed(terminating.as_mut()) => terminating = None,
                () = elapsed(timer.as_mut()) => if let Some(outcome) = fallback { break Decision::Done(outcome) },
                () = elapsed(stop_timer.as_mut()) => if let Some(reason) = stopping { break Decision::Done(StopReason::outcome(reason)) },
            }
        };
        self.resolve(decision).await
    }

    fn known<'k>(
        &self,
        facts: &'k Facts,
        view: &'k View,
        stopped: Option<StopReason>,
        is_read: bool,
    ) -> Known<'k> {
        Known {
            has_wrapper: self.blueprint.nonce.is_some(),
            facts,
            view,
            stopped,
            is_read,
            resources: self.blueprint.resources,
            timeout: self.request.spec.timeout,
        }
    }

    async fn resolve(&self, decision: Decision) -> Outcome {
        match decision {
            Decision::Done(outcome) | Decision::WaitAtMost(_, outcome) => outcome,
            Decision::Wait => Outcome::RunnerError { message: "the pod's end is not known".to_owned() },
            Decision::Unprepared { container, code } => {
                let tail = self.cluster.tail(&self.blueprint.name, &container, INIT_LINES).await;
                let said =
                    tail.map_or_else(|error| error.to_string(), |text| text.trim().replace('\n', "; "));
                let message = format!("the init container `{container}` ended with code {code}: {said}");
                // Ours fails by no fault of the step's author.
                if container.starts_with("stroem-") {
                    Outcome::RunnerError { message }
                } else {
                    invalid(&message)
                }
            }
        }
    }

    /// Removes everything; sidecars get the time to end that the step would have had.
    async fn remove(&mut self) {
        let others_run = {
            let view = self.watched.view.borrow();
            !view.is_gone && view.pod.as_deref().is_some_and(status::others_run)
        };
        if others_run {
            let grace = grace_secs(self.request);
            let limit = Duration::from_secs(grace.into()) + REMOVAL_LAG;
            let ended = async {
                terminate(self.cluster, &self.blueprint.name, grace).await;
                // The sender lives as long as the attempt.
                let _never_closed = self.watched.view.wait_for(|view| view.is_gone).await;
            };
            // What is still there then is removed all the same.
            let _too_late = timeout(limit, ended).await;
        }
        self.cluster.remove(&self.blueprint.name, !self.blueprint.secret.is_empty()).await;
    }

    /// A sentence for the log, once.
    async fn note(&mut self, text: String) {
        if self.told.insert(text.clone()) {
            self.send(RunnerEvent::Note(text)).await;
        }
    }

    pub(crate) async fn send(&self, event: RunnerEvent) {
        let _nobody_listens = self.events.send(event).await;
    }
}

fn has_ended(view: &View) -> bool {
    matches!(view.pod.as_deref().map(status::state), Some(State::Ended(_)))
}

/// Tells a pod to end, until the cluster has heard it.
async fn terminate(cluster: &Cluster, name: &str, grace_secs: u32) {
    while let Err(error) = cluster.terminate(name, grace_secs).await {
        tracing::warn!(pod = name, %error, "a pod cannot be told to end; trying again");
        sleep(AGAIN).await;
    }
}

async fn elapsed<F: Future<Output = ()> + ?Sized>(future: Option<&mut Pin<Box<F>>>) {
    match future {
        Some(future) => future.as_mut().await,
        None => pending().await,
    }
}

pub(crate) async fn stopped(stop: &mut StopReceiver) -> StopReason {
    match stop.wait_for(Option::is_some).await.map(|reason| *reason) {
        Ok(Some(reason)) => reason,
        _ => pending().await,
    }
}

fn nonce() -> Result<String, Outcome> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)
        .map_err(|error| Outcome::RunnerError { message: format!("no randomness: {error}") })?;
    Ok(hex::encode(bytes))
}
