//! A server in memory that speaks the worker protocol, can be down, can lose replies and can take leases away.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use stroem_api::{
    ResponseBody, Transport, TransportError,
    worker::{
        ChunkAnswer, ClaimedStep, HeartbeatResponse, Kill, LeftoversRequest, LeftoversResponse, PollRequest,
        PollResponse, RegisterRequest, RegisterResponse, Report, ReportAnswer, ReportKind, ReportResponse,
        ReportVerdict,
    },
};
use stroem_core::{
    AttemptKey, AttemptNumber, Fence, HumanDuration, JobId, Language, LeaseKey, Outcome, Resources,
    RunnerKind, Runtime, ScriptBody, ScriptSpec, Secret, StepRun, StepSpec, Timestamp, WorkerId,
};
use stroem_logs::chunk::{Chunk, LogLine, LogStream, decode};
use tokio::sync::Notify;

/// How long any condition may take.
const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const REVISION: &str = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

#[derive(Default)]
pub(crate) struct State {
    pub(crate) down: bool,
    /// Calls that came while it was down.
    pub(crate) refused_calls: u32,
    /// Replies of a path that get lost after the request was handled.
    pub(crate) lose: HashMap<&'static str, u32>,
    pub(crate) queue: VecDeque<ClaimedStep>,
    pub(crate) leases: BTreeMap<LeaseKey, ClaimedStep>,
    pub(crate) kills: HashMap<LeaseKey, Option<HumanDuration>>,
    pub(crate) chunks: BTreeMap<AttemptKey, Vec<Chunk>>,
    pub(crate) started: Vec<LeaseKey>,
    pub(crate) placed: Vec<(LeaseKey, Runtime)>,
    /// Attempts of leftovers that are over.
    pub(crate) dead: Vec<LeaseKey>,
    /// How often somebody asked about leftovers.
    pub(crate) asked: u32,
    pub(crate) ended: Vec<(LeaseKey, Outcome, Option<Value>)>,
    pub(crate) handed_back: Vec<LeaseKey>,
    pub(crate) stale_reports: u32,
    pub(crate) refused_chunks: u32,
    pub(crate) registrations: Vec<RegisterRequest>,
    pub(crate) refuse_registration: Option<(u16, &'static str)>,
    pub(crate) session: u32,
    pub(crate) polls: Vec<PollRequest>,
    pub(crate) answered_polls: u32,
    pub(crate) reports: u32,
    pub(crate) largest_report: usize,
    pub(crate) downloads: u32,
    pub(crate) tarball: Option<Bytes>,
    pub(crate) drain_heartbeats: u32,
    pub(crate) left: bool,
    fence: i64,
}

#[derive(Clone, Default)]
pub(crate) struct Server {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
    /// Lets polls look again.
    work: Arc<Notify>,
}

impl Server {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Changes something and lets polls look again.
    pub(crate) fn set<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = self.note(change);
        self.work.notify_waiters();
        result
    }

    /// Changes something that polls do not wait for.
    fn note<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.changed.notify_waiters();
        result
    }

    /// Queues a step that runs a script of the test's runner.
    pub(crate) fn enqueue(&self, script: &str) -> LeaseKey {
        self.enqueue_with(script, |_| {})
    }

    pub(crate) fn enqueue_with(&self, script: &str, change: impl FnOnce(&mut StepSpec)) -> LeaseKey {
        self.set(|state| {
            let claim = state.claim(script, change);
            let lease = claim.lease;
            state.queue.push_back(claim);
            lease
        })
    }

    /// Waits for a condition.
    #[track_caller]
    pub(crate) fn until<T>(&self, mut condition: impl FnMut(&State) -> Option<T>) -> impl Future<Output = T> {
        let caller = std::panic::Location::caller();
        async move {
            let wait = async {
                loop {
                    let changed = self.changed.notified();
                    tokio::pin!(changed);
                    changed.as_mut().enable();
                    if let Some(value) = condition(&self.state()) {
                        return value;
                    }
                    changed.await;
                }
            };
            tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never true: {caller}"))
        }
    }

    /// How an attempt ended.
    pub(crate) async fn end_of(&self, lease: LeaseKey) -> (Outcome, Option<Value>) {
        self.until(|state| {
            let ended = state.ended.iter().find(|(known, ..)| *known == lease);
            ended.map(|(_, outcome, output)| (outcome.clone(), output.clone()))
        })
        .await
    }

    /// The lines of an attempt, each with its stream.
    pub(crate) fn lines(&self, lease: LeaseKey) -> Vec<(LogStream, String)> {
        let text = |line: LogLine| (line.stream, String::from_utf8_lossy(&line.text).into_owned());
        let state = self.state();
        let chunks = state.chunks.get(&lease.attempt).into_iter().flatten();
        chunks.flat_map(|chunk| decode(&chunk.payload).unwrap()).map(text).collect()
    }

    async fn handle(&self, path: &str, body: Bytes) -> (u16, Value) {
        match path {
            "/worker/register" => self.note(|state| state.register(&serde_json::from_slice(&body).unwrap())),
            "/worker/poll" => (200, self.poll(serde_json::from_slice(&body).unwrap()).await),
            "/worker/report" => {
                let size = body.len();
                let report = Report::decode(body).unwrap();
                (200, self.note(|state| state.report(report, size)))
            }
            "/worker/leftovers" => self.note(|state| {
                state.asked += 1;
                let request: LeftoversRequest = serde_json::from_slice(&body).unwrap();
                let dead = request.found.into_iter().filter(|lease| state.dead.contains(lease)).collect();
                (200, serde_json::to_value(LeftoversResponse { dead }).unwrap())
            }),
            "/worker/heartbeat" => self.note(|state| {
                let request: Value = serde_json::from_slice(&body).unwrap();
                state.drain_heartbeats += u32::from(request["draining"] == true);
                (200, serde_json::to_value(HeartbeatResponse {}).unwrap())
            }),
            "/worker/leave" => self.note(|state| {
                state.left = true;
                (200, json!({}))
            }),
            other => panic!("unexpected call of {other}"),
        }
    }

    async fn poll(&self, request: PollRequest) -> Value {
        let number = self.set(|state| {
            state.polls.push(request.clone());
            state.polls.len()
        });
        let look = async {
            loop {
                let changed = self.work.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if let Some(answer) = self.state().look(&request, number) {
                    return answer;
                }
                changed.await;
            }
        };
        let answer =
            tokio::time::timeout(Duration::from_millis(request.wait_ms), look).await.unwrap_or_default();
        self.note(|state| state.answered_polls += 1);
        serde_json::to_value(answer).unwrap()
    }

    fn is_down(&self) -> bool {
        self.state().down
    }

    fn error(&self) -> TransportError {
        TransportError { server: self.server().to_owned(), message: "down".to_owned() }
    }
}

#[async_trait]
impl Transport for Server {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<ResponseBody>, TransportError> {
        if self.is_down() {
            self.note(|state| state.refused_calls += 1);
            return Err(self.error());
        }
        let path = request.uri().path().to_owned();
        let token = request.headers()["authorization"].to_str().unwrap().to_owned();
        let session = format!("Bearer session-{}", self.state().session);
        let (status, answer) = if path != "/worker/register" && token != session {
            (401, error_body("no_session"))
        } else if path.starts_with("/worker/workspaces/") {
            let tarball = self.note(|state| {
                state.downloads += 1;
                state.tarball.clone()
            });
            match tarball {
                Some(tarball) => return Ok(Response::new(body(tarball))),
                None => (404, error_body("no_such_revision")),
            }
        } else {
            self.handle(&path, request.into_body()).await
        };
        let lost = self.note(|state| match state.lose.get_mut(path.as_str()) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        });
        if lost || self.is_down() {
            return Err(self.error());
        }
        let answer = serde_json::to_vec(&answer).unwrap();
        Ok(Response::builder().status(status).body(body(answer.into())).unwrap())
    }

    fn server(&self) -> &str {
        "the test's server"
    }
}

fn body(bytes: Bytes) -> ResponseBody {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

fn error_body(code: &str) -> Value {
    json!({"error": format!("refused: {code}"), "code": code})
}

impl State {
    /// A claim of a new job's only step.
    pub(crate) fn claim(&mut self, script: &str, change: impl FnOnce(&mut StepSpec)) -> ClaimedStep {
        self.fence += 1;
        let mut job = [0; 16];
        job[..8].copy_from_slice(&self.fence.to_be_bytes());
        let attempt = AttemptKey { job: JobId::from_bytes(job), step: 0, attempt: AttemptNumber(1) };
        let mut spec = StepSpec {
            run: StepRun::Script(ScriptSpec {
                runner: RunnerKind::Local,
                language: Language::Shell,
                body: ScriptBody::Inline(script.to_owned()),
                interpreter: None,
                args: Vec::new(),
                dependencies: Vec::new(),
                manifest: None,
            }),
            env: BTreeMap::new(),
            timeout: None,
            resources: Resources::default(),
            container: stroem_core::Container::default(),
            workdir: None,
            secrets: Vec::new(),
        };
        change(&mut spec);
        ClaimedStep {
            lease: LeaseKey { attempt, fence: Fence(self.fence) },
            workspace: "ops".to_owned().try_into().unwrap(),
            revision: REVISION.parse().unwrap(),
            task: "task".to_owned().try_into().unwrap(),
            step: "step".to_owned().try_into().unwrap(),
            ready_at: Timestamp::default(),
            spec,
            download_token: None,
            adopted: None,
        }
    }

    fn register(&mut self, request: &RegisterRequest) -> (u16, Value) {
        self.registrations.push(request.clone());
        if let Some((status, code)) = self.refuse_registration {
            return (status, error_body(code));
        }
        self.session += 1;
        let surviving = |lease: &LeaseKey| request.surviving.contains(lease);
        let lost =
            request.surviving.iter().filter(|lease| !self.leases.contains_key(lease)).copied().collect();
        self.leases.retain(|lease, _| surviving(lease));
        let response = RegisterResponse {
            worker_id: WorkerId::from_bytes([1; 16]),
            session_token: Secret::new(format!("session-{}", self.session)),
            heartbeat_interval_ms: 50,
            heartbeat_timeout_ms: 1000,
            lost,
        };
        (200, serde_json::to_value(response).unwrap())
    }

    /// The answer to a poll, if there is one now.
    fn look(&mut self, request: &PollRequest, number: usize) -> Option<PollResponse> {
        if self.down || number < self.polls.len() {
            return Some(PollResponse::default());
        }
        let mut answer = PollResponse::default();
        for lease in request.held.iter().filter(|lease| !request.stopping.contains(lease)) {
            match (self.leases.contains_key(lease), self.kills.get(lease)) {
                (false, _) => answer.lost.push(*lease),
                (true, Some(timed_out)) => answer.kills.push(Kill { lease: *lease, timed_out: *timed_out }),
                (true, None) => {}
            }
        }
        let unheard = self.leases.iter().filter(|(lease, _)| !request.held.contains(lease));
        answer.claims.extend(unheard.map(|(_, claim)| claim.clone()));
        while answer.claims.len() < request.free_slots as usize
            && let Some(claim) = self.queue.pop_front()
        {
            self.leases.insert(claim.lease, claim.clone());
            answer.claims.push(claim);
        }
        let empty = answer.claims.is_empty() && answer.kills.is_empty() && answer.lost.is_empty();
        (!empty).then_some(answer)
    }

    fn report(&mut self, report: Report, size: usize) -> Value {
        self.reports += 1;
        self.largest_report = self.largest_report.max(size);
        let mut chunks: BTreeMap<LeaseKey, Option<u64>> = BTreeMap::new();
        for (meta, payload) in report.chunks.iter().zip(report.payloads) {
            if !self.leases.contains_key(&meta.lease) && !self.is_over(meta.lease) {
                chunks.insert(meta.lease, None);
                self.refused_chunks += 1;
                continue;
            }
            let stored = self.chunks.entry(meta.lease.attempt).or_default();
            let first = stored.first().map_or(meta.seq, |chunk| chunk.seq);
            if meta.seq == first + stored.len() as u64 {
                stored.push(Chunk::from_payload(meta.seq, payload).unwrap());
            }
            chunks.insert(meta.lease, stored.last().map(|chunk| chunk.seq + 1));
        }
        let answers = report.attempts.into_iter().map(|attempt| {
            let verdict = self.take(attempt.lease, attempt.kind);
            ReportAnswer { lease: attempt.lease, report_seq: attempt.report_seq, verdict }
        });
        let attempts = answers.collect();
        let chunks = chunks.into_iter().map(|(lease, next_seq)| ChunkAnswer { lease, next_seq }).collect();
        serde_json::to_value(ReportResponse { chunks, attempts }).unwrap()
    }

    fn is_over(&self, lease: LeaseKey) -> bool {
        self.ended.iter().any(|(ended, ..)| *ended == lease)
    }

    fn take(&mut self, lease: LeaseKey, kind: ReportKind) -> ReportVerdict {
        let known = self.is_over(lease);
        if !self.leases.contains_key(&lease) && !known {
            self.stale_reports += 1;
            return ReportVerdict::LeaseLost;
        }
        match kind {
            ReportKind::Started { .. } if !self.started.contains(&lease) => self.started.push(lease),
            ReportKind::Placed { runtime } => self.placed.push((lease, runtime)),
            ReportKind::Started { .. } => {}
            ReportKind::Ended { .. } if known => {}
            ReportKind::Ended { outcome, output } => {
                self.leases.remove(&lease);
                self.ended.push((lease, outcome, output));
            }
            ReportKind::HandedBack => {
                self.leases.remove(&lease);
                self.handed_back.push(lease);
            }
        }
        ReportVerdict::Applied
    }
}
