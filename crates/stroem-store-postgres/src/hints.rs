//! Hints between servers, by NOTIFY on a connection of their own. Never part of a commit: a notification inside one would
//! make all commits of the database queue up behind each other. What commits bring within a moment travels together.
//!
//! It must not decide: whoever gets a hint looks into the store.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use stroem_core::{JobId, JobStatus, TagSet, Timestamp, WorkerId};
use stroem_engine::Effect;
use stroem_store::{Claim, Hint, HintStream, Leadership, ReplicaStore, StoreError};
use tokio::sync::{Notify, broadcast, mpsc};
use tokio_postgres::{Client, Notification};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    PostgresStore,
    connection::values,
    failure::{Failure, Outcome},
    leader,
    pool::Pool,
};

/// Hints that a reader may be behind.
const BEHIND_MAX: usize = 4_096;
/// How long hints gather before they travel.
const GATHER: Duration = Duration::from_millis(5);
/// PostgreSQL takes 7,999 bytes.
const PAYLOAD_BYTES: usize = 7_900;
/// Jobs that one message names; with their quotes and commas they take half of it.
const JOBS_PER_MESSAGE: usize = 60;
/// Changed jobs that wait at most; more than these are "anything".
const JOBS_MAX: usize = 2_000;
/// The first and the longest pause before the connection is opened again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The hints of one store: what it has to tell, and who listens in this process.
pub(crate) struct Hints {
    is_on: bool,
    gathered: Arc<Gathered>,
    heard: broadcast::Sender<Hint>,
}

#[derive(Default)]
struct Gathered {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Default)]
struct Waiting {
    ready: BTreeMap<TagSet, u32>,
    jobs: BTreeMap<JobId, (i64, JobStatus)>,
    logs: BTreeSet<JobId>,
    stop: BTreeSet<WorkerId>,
    workers: bool,
    who_polls: BTreeSet<WorkerId>,
    timer: Option<Timestamp>,
    anything: bool,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        let Self { ready, jobs, logs, stop, workers, who_polls, timer, anything } = self;
        let lists = ready.is_empty() && jobs.is_empty() && logs.is_empty() && stop.is_empty();
        lists && who_polls.is_empty() && timer.is_none() && !workers && !anything
    }

    fn add(&mut self, hint: Hint) {
        match hint {
            Hint::Ready { tags, steps } => {
                let ready = self.ready.entry(tags).or_default();
                *ready = ready.saturating_add(steps);
            }
            Hint::JobChanged { job, version, status } => drop(self.jobs.insert(job, (version, status))),
            Hint::LogGrew { job } => drop(self.logs.insert(job)),
            Hint::Stop { worker } => drop(self.stop.insert(worker)),
            Hint::WorkersChanged => self.workers = true,
            Hint::WhoPolls { worker } => drop(self.who_polls.insert(worker)),
            Hint::TimerAdded { due_at } => {
                self.timer = Some(self.timer.map_or(due_at, |timer| timer.min(due_at)));
            }
            Hint::Anything => self.anything = true,
        }
    }
}

/// What travels. Servers of another version may read it: fields are added, never changed.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Message {
    from: Uuid,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ready: Vec<(String, u32)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    jobs: Vec<(JobId, i64, JobStatus)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logs: Vec<JobId>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop: Vec<WorkerId>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    workers: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    who_polls: Vec<WorkerId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timer_us: Option<i64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    anything: bool,
}

impl Hints {
    /// Starts the task that tells and listens, until the store is closed.
    pub(crate) fn start(pool: &Arc<Pool>, closed: CancellationToken) -> Self {
        let gathered = Arc::<Gathered>::default();
        let (heard, _) = broadcast::channel(BEHIND_MAX);
        let service =
            Service { pool: Arc::clone(pool), gathered: Arc::clone(&gathered), heard: heard.clone() };
        let is_on = pool.connector.options.hints;
        if is_on {
            pool.connector.tasks.spawn(async move {
                closed.run_until_cancelled(service.run()).await;
            });
        }
        Self { is_on, gathered, heard }
    }

    /// Gathers what a commit means to others.
    pub(crate) fn committed(&self, effects: &[Effect]) {
        self.gather(effects.iter().filter_map(|effect| match effect {
            Effect::Ready { tags } => Some(Hint::Ready { tags: tags.clone(), steps: 1 }),
            Effect::Kill(kill) => Some(Hint::Stop { worker: kill.worker }),
            Effect::TimerAdded { due_at } => Some(Hint::TimerAdded { due_at: *due_at }),
            Effect::JobChanged { job, version, status } => {
                Some(Hint::JobChanged { job: *job, version: *version, status: *status })
            }
            // Only the server that talks to the worker has a use for it.
            Effect::Released { .. } => None,
        }));
    }

    /// Gathers that a claim changed a job.
    pub(crate) fn claimed(&self, claim: &Claim) {
        let (job, version) = (claim.lease.attempt.job, claim.job_version);
        self.gather([Hint::JobChanged { job, version, status: JobStatus::Running }]);
    }

    fn gather(&self, hints: impl IntoIterator<Item = Hint>) {
        if !self.is_on {
            return;
        }
        let mut waiting = self.gathered.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        hints.into_iter().for_each(|hint| waiting.add(hint));
        self.gathered.bounded(&mut waiting);
    }
}

impl Gathered {
    fn bounded(&self, waiting: &mut Waiting) {
        if waiting.jobs.len() + waiting.logs.len() > JOBS_MAX {
            *waiting = Waiting { anything: true, ..Waiting::default() };
        }
        if !waiting.is_empty() {
            self.changed.notify_one();
        }
    }

    fn take(&self) -> Waiting {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Service {
    pool: Arc<Pool>,
    gathered: Arc<Gathered>,
    heard: broadcast::Sender<Hint>,
}

impl Service {
    async fn run(&self) {
        let mut pause = PAUSES.0;
        loop {
            let connected = self.connected(&mut pause).await;
            if let Err(failure) = connected {
                let error = StoreError::from(failure);
                tracing::warn!(%error, pause_ms = pause.as_millis(), "hints between servers are interrupted");
            }
            tokio::time::sleep(pause).await;
            pause = PAUSES.1.min(pause * 2);
        }
    }

    /// Tells and listens on one connection until it breaks.
    async fn connected(&self, pause: &mut Duration) -> Outcome<()> {
        let (sender, mut notifications) = mpsc::unbounded_channel();
        let (client, ended) = self.pool.connector.open(Some(sender)).await?;
        let channel = channel(&self.pool.connector.options.schema);
        client.batch_execute(&format!("LISTEN \"{channel}\"")).await?;
        *pause = PAUSES.0;
        let me: Uuid = client.query_one("SELECT gen_random_uuid()", &[]).await?.try_get(0)?;
        // What happened meanwhile is not known here, nor what was not told there.
        self.tell(Hint::Anything);
        let lost = Message { from: me, anything: true, ..Message::default() };
        notify(&client, &channel, &[lost]).await?;
        loop {
            tokio::select! {
                () = ended.cancelled() => return Err(Failure::unavailable("the connection ended")),
                notification = notifications.recv() => match notification {
                    Some(notification) => self.hear(me, &notification),
                    None => return Err(Failure::unavailable("the connection ended")),
                },
                () = self.gathered.changed.notified() => {
                    tokio::time::sleep(GATHER).await;
                    notify(&client, &channel, &messages(me, self.gathered.take())).await?;
                }
            }
        }
    }

    fn hear(&self, me: Uuid, notification: &Notification) {
        let Ok(message) = serde_json::from_str::<Message>(notification.payload()) else {
            tracing::debug!("a hint of another server cannot be read");
            return self.tell(Hint::Anything);
        };
        if message.from == me {
            return;
        }
        for (tags, steps) in message.ready {
            // A server of a newer version may have tags that this one cannot read: it has no workers for them.
            if let Ok(tags) = TagSet::from_queue_key(&tags) {
                self.tell(Hint::Ready { tags, steps });
            }
        }
        for (job, version, status) in message.jobs {
            self.tell(Hint::JobChanged { job, version, status });
        }
        message.logs.into_iter().for_each(|job| self.tell(Hint::LogGrew { job }));
        message.stop.into_iter().for_each(|worker| self.tell(Hint::Stop { worker }));
        message.who_polls.into_iter().for_each(|worker| self.tell(Hint::WhoPolls { worker }));
        if message.workers {
            self.tell(Hint::WorkersChanged);
        }
        if let Some(timer_us) = message.timer_us {
            self.tell(Hint::TimerAdded { due_at: Timestamp::from_micros(timer_us) });
        }
        if message.anything {
            self.tell(Hint::Anything);
        }
    }

    fn tell(&self, hint: Hint) {
        // Nobody may be listening.
        let _ = self.heard.send(hint);
    }
}

fn channel(schema: &str) -> String {
    format!("stroem_{schema}")
}

/// What waits, in messages that are small enough. Whatever does not fit is "anything".
fn messages(from: Uuid, waiting: Waiting) -> Vec<Message> {
    if waiting.is_empty() {
        return Vec::new();
    }
    let rest = Message {
        from,
        ready: waiting.ready.iter().map(|(tags, steps)| (tags.queue_key(), *steps)).collect(),
        stop: waiting.stop.into_iter().collect(),
        workers: waiting.workers,
        who_polls: waiting.who_polls.into_iter().collect(),
        timer_us: waiting.timer.map(Timestamp::as_micros),
        anything: waiting.anything,
        ..Message::default()
    };
    let jobs: Vec<_> =
        waiting.jobs.into_iter().map(|(job, (version, status))| (job, version, status)).collect();
    let logs: Vec<_> = waiting.logs.into_iter().collect();
    let jobs = jobs.chunks(JOBS_PER_MESSAGE);
    let jobs = jobs.map(|jobs| Message { from, jobs: jobs.to_vec(), ..Message::default() });
    let logs = logs.chunks(JOBS_PER_MESSAGE);
    let logs = logs.map(|logs| Message { from, logs: logs.to_vec(), ..Message::default() });
    jobs.chain(logs).chain([rest]).collect()
}

async fn notify(client: &Client, channel: &str, messages: &[Message]) -> Outcome<()> {
    if messages.is_empty() {
        return Ok(());
    }
    let payloads: Vec<String> = messages.iter().map(payload).collect();
    client.execute("SELECT pg_notify($1, p) FROM unnest($2::text[]) AS n(p)", &[&channel, &payloads]).await?;
    Ok(())
}

fn payload(message: &Message) -> String {
    let text = serde_json::to_string(message).expect("texts and numbers are JSON");
    if text.len() <= PAYLOAD_BYTES {
        return text;
    }
    payload(&Message { from: message.from, anything: true, ..Message::default() })
}

#[async_trait]
impl ReplicaStore for PostgresStore {
    fn hints(&self) -> Box<dyn HintStream> {
        Box::new(Subscription { heard: self.inner.hints.heard.subscribe() })
    }

    fn tell(&self, hint: Hint) {
        self.inner.hints.gather([hint]);
    }

    async fn try_lead(&self) -> Result<Option<Box<dyn Leadership>>, StoreError> {
        let guard = leader::try_lead(&self.inner).await?;
        Ok(guard.map(|guard| Box::new(guard) as Box<dyn Leadership>))
    }

    async fn time(&self) -> Result<Timestamp, StoreError> {
        self.database_time().await
    }

    async fn agree(&self, name: &str, value: &str) -> Result<String, StoreError> {
        let (name_text, value_text) = (name.to_owned(), value.to_owned());
        let first = "INSERT INTO agreed (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
        self.write_one(first, move || values![name_text.clone(), value_text.clone()]).await?;
        let question = "SELECT value FROM agreed WHERE name = $1";
        let found = self.inner.read(question, values![name.to_owned()], |columns| columns.value()).await?;
        found.into_iter().next().ok_or_else(|| StoreError::Internal("what was agreed on is gone".to_owned()))
    }
}

struct Subscription {
    heard: broadcast::Receiver<Hint>,
}

#[async_trait]
impl HintStream for Subscription {
    async fn next(&mut self) -> Hint {
        match self.heard.recv().await {
            Ok(hint) => hint,
            Err(broadcast::error::RecvError::Lagged(_)) => Hint::Anything,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(number: u8) -> JobId {
        JobId::from_bytes([number; 16])
    }

    #[test]
    fn what_waits_fits_into_messages() {
        let jobs = (0..200).map(|number| (job(number), (i64::MAX, JobStatus::Completed))).collect();
        let waiting = Waiting { jobs, timer: Some(Timestamp::from_micros(5)), ..Waiting::default() };
        let messages = messages(Uuid::nil(), waiting);
        assert_eq!(
            messages.iter().map(|message| message.jobs.len()).collect::<Vec<_>>(),
            [60, 60, 60, 20, 0]
        );
        assert!(messages.iter().all(|message| !message.anything));
        for message in &messages {
            let text = payload(message);
            assert!(text.len() <= PAYLOAD_BYTES, "{} bytes", text.len());
            assert!(!text.contains("anything"), "{text}");
        }
    }

    #[test]
    fn what_is_too_long_becomes_anything() {
        let message = Message { ready: vec![("x".repeat(PAYLOAD_BYTES), 1)], ..Message::default() };
        assert!(payload(&message).contains("\"anything\":true"));
    }

    #[test]
    fn nothing_is_no_message() {
        assert!(messages(Uuid::nil(), Waiting::default()).is_empty());
    }

    #[test]
    fn messages_of_other_versions_are_read() {
        let message: Message =
            serde_json::from_str(r#"{"from":"00000000-0000-0000-0000-000000000000","new":1}"#)
                .expect("unknown fields are passed over");
        assert!(message.jobs.is_empty() && !message.anything);
    }
}
