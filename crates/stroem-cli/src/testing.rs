//! Fixed data and a server made of prepared answers, for tests of this crate.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Frame;
use serde_json::{Value, json};
use stroem_api::{
    ApiClient, ResponseBody, Transport, TransportError,
    public::{JobDetail, LogLine, StepInfo},
};
use stroem_core::{JobId, Timestamp};

pub(crate) const JOB: &str = "0190f3c2-7b1e-7c3a-9d55-0242ac120002";

pub(crate) fn job_id() -> JobId {
    JOB.parse().unwrap()
}

pub(crate) fn start() -> Timestamp {
    serde_json::from_value(json!("2026-11-24T08:23:31.000000Z")).unwrap()
}

/// One thing that the server does when it is asked.
pub(crate) enum Answer {
    /// A status and a body.
    Body(u16, String),
    /// Cannot be reached.
    Refuses,
    /// The head comes, then this, then the connection breaks.
    Breaks(String),
}

impl Answer {
    pub(crate) fn json(value: &impl serde::Serialize) -> Self {
        Self::Body(200, serde_json::to_string(value).unwrap())
    }

    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        Self::Body(status, json!({ "error": message, "code": code }).to_string())
    }
}

/// Gives prepared answers in order and notes what it was asked.
#[derive(Clone, Default)]
pub(crate) struct FakeServer {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl FakeServer {
    pub(crate) fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let server = Self::default();
        server.answers.lock().unwrap().extend(answers);
        server
    }

    pub(crate) fn client(&self) -> ApiClient {
        ApiClient::new(Arc::new(self.clone()), None)
    }

    /// What it was asked: method, path and the position in the log.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn error(message: &str) -> TransportError {
        TransportError { server: "http://127.0.0.1:8080".to_owned(), message: message.to_owned() }
    }
}

#[async_trait]
impl Transport for FakeServer {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<ResponseBody>, TransportError> {
        let position =
            request.headers().get("last-event-id").map(|id| format!(" after {}", id.to_str().unwrap()));
        let asked = format!("{} {}{}", request.method(), request.uri(), position.unwrap_or_default());
        self.asked.lock().unwrap().push(asked.clone());
        let answer = self.answers.lock().unwrap().pop_front();
        let full = |text: String| Full::new(Bytes::from(text)).map_err(|never| match never {});
        match answer.unwrap_or_else(|| panic!("no answer is prepared for {asked}")) {
            Answer::Refuses => Err(Self::error("Connection refused (os error 111)")),
            Answer::Body(status, text) => {
                Ok(Response::builder().status(status).body(full(text).boxed_unsync()).unwrap())
            }
            Answer::Breaks(text) => {
                let pieces = [Ok(Frame::data(Bytes::from(text))), Err(Self::error("connection reset"))];
                let body = http_body_util::StreamBody::new(futures_util::stream::iter(pieces));
                Ok(Response::new(body.boxed_unsync()))
            }
        }
    }

    fn server(&self) -> &str {
        "http://127.0.0.1:8080"
    }
}

pub(crate) fn line(step: &str, text: &str) -> LogLine {
    LogLine {
        ts: start(),
        stream: "stdout".to_owned(),
        step: step.to_owned(),
        line: text.to_owned(),
        attempt: 1,
        continued: false,
    }
}

/// An event `lines` of the log's stream.
pub(crate) fn lines_event(id: &str, lines: &[LogLine]) -> String {
    format!("event: lines\nid: {id}\ndata: {}\n\n", serde_json::to_string(lines).unwrap())
}

/// A step as the API gives it. Times are milliseconds after the job's creation.
pub(crate) fn step(name: &str, status: &str, started_ms: Option<u64>, completed_ms: Option<u64>) -> StepInfo {
    let at = |ms: Option<u64>| ms.map(|ms| start().after(std::time::Duration::from_millis(ms)));
    serde_json::from_value(json!({
        "step_name": name, "action_name": name, "action_type": "script", "runner": "local", "depends_on": [],
        "input": null, "output": null, "status": status, "worker_id": null, "started_at": at(started_ms),
        "completed_at": at(completed_ms), "error_message": null, "attempt": u8::from(started_ms.is_some()),
        "attempts": [], "outcome": null, "required_tags": ["script"], "ready_at": at(started_ms),
        "continue_on_failure": false,
    }))
    .unwrap()
}

/// A job with these steps as the API gives it.
pub(crate) fn job(status: &str, steps: Vec<StepInfo>, output: Option<&Value>) -> JobDetail {
    let ended = !matches!(status, "pending" | "running");
    let completed_at = ended.then(|| start().after(std::time::Duration::from_millis(4_500)));
    let mut job: JobDetail = serde_json::from_value(json!({
        "job_id": JOB, "workspace": "default", "task_name": "release", "mode": "distributed", "status": status,
        "source_type": "api", "source_id": null, "revision": "c0ffee", "created_at": start(),
        "started_at": start(), "completed_at": completed_at, "version": 7, "input": {"name": "world"},
        "output": output, "error_message": null, "stop_requested_at": null, "steps": [],
    }))
    .unwrap();
    job.steps = steps;
    job
}

/// A job with a step in each of the usual states.
pub(crate) fn job_on_its_way() -> JobDetail {
    let mut failed = step("lint", "failed", Some(100), Some(1_100));
    failed.error_message = Some("exited with code 2".to_owned());
    let mut running = step("build-everything", "running", Some(1_000), None);
    running.attempt = 2;
    let steps = vec![
        step("fetch", "completed", Some(20), Some(980)),
        failed,
        running,
        step("docs", "ready", None, None),
        step("publish", "pending", None, None),
        step("notify", "skipped", None, None),
    ];
    job("running", steps, None)
}
