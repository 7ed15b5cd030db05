//! Follows the log of the step's container until it is whole, through cut connections and rotations.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::AsyncBufReadExt;
use stroem_runner::{EventSender, OutputStream, RunnerEvent};
use tokio::{sync::watch, time::timeout};

use crate::{
    cluster::Cluster,
    control::{Control, Part, Said},
    entries::Entries,
    manifest::STEP,
    status::{self, State},
    watch::View,
};

/// Bytes of one event.
const EVENT_BYTES: usize = 64 << 10;
/// Output between two marks at least: much less than a kubelet keeps.
const MARK_BYTES: usize = 512 << 10;
const LOST: &str = "a part of the log is missing here: it was rotated away while nobody read it";
/// Between tries, the first and the longest pause.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];
/// How long the end of a log may come before the end of its container is seen. What comes later is another stream.
const END_LAG: Duration = Duration::from_secs(5);
/// How often the log of a container that ended is asked for in vain.
const LAST_TRIES: u32 = 12;

/// What the wrapper said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) is_started: bool,
    /// The script's code, when it ended before any stop.
    pub(crate) code: Option<i32>,
    pub(crate) invalid: Option<String>,
    pub(crate) is_over: bool,
}

/// Reads one container's log.
pub(crate) struct Reader {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) pod: String,
    pub(crate) events: EventSender,
    pub(crate) view: watch::Receiver<View>,
    pub(crate) facts: watch::Sender<Facts>,
    pub(crate) entries: Entries,
    /// Takes the wrapper's lines out; images have no wrapper.
    pub(crate) control: Option<Control>,
    pub(crate) is_at_line_start: bool,
    /// Bytes of output since the last mark.
    pub(crate) since_mark: usize,
}

/// How a stream ended.
enum End {
    /// As it should.
    Whole,
    /// The container has no log yet.
    NotYet,
    /// There is no such pod.
    Missing,
    Broken(String),
}

impl Reader {
    /// Reads to the end: the wrapper's last word, or the end of a stream that began after the container had ended.
    pub(crate) async fn run(mut self) {
        let mut pause = PAUSES[0];
        let mut tries = 0;
        loop {
            let was_over = self.is_over();
            let end = self.follow().await;
            if self.facts.borrow().is_over {
                break;
            }
            match end {
                End::Whole if was_over => break,
                End::Missing => break,
                End::Whole => {
                    (pause, tries) = (PAUSES[0], 0);
                    // A rotation, too, ends a stream: then nothing comes of this, and the next one goes on.
                    let _not_yet = timeout(END_LAG, self.until_over()).await;
                }
                End::NotYet => {
                    let _no_change = timeout(PAUSES[1], self.view.changed()).await;
                }
                End::Broken(error) => {
                    tracing::debug!(pod = self.pod, error, "a log's stream was cut");
                    tries += 1;
                    if self.view.borrow().is_gone || (was_over && tries > LAST_TRIES) {
                        self.note(format!("the rest of the log cannot be read: {error}")).await;
                        break;
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSES[1]);
                }
            }
        }
        let rest = self.control.as_mut().map(Control::rest).unwrap_or_default();
        self.output(rest).await;
    }

    async fn follow(&mut self) -> End {
        let since = self.entries.since();
        self.entries.reconnect();
        let stream = match self.cluster.log(&self.pod, STEP, since).await {
            Ok(stream) => stream,
            Err(kube::Error::Api(status)) if status.code == 404 => return End::Missing,
            Err(kube::Error::Api(status)) if status.code == 400 => return End::NotYet,
            Err(error) => return End::Broken(error.to_string()),
        };
        futures_util::pin_mut!(stream);
        let (mut content, mut odd) = (Vec::new(), Vec::new());
        loop {
            let length = match stream.fill_buf().await {
                Ok([]) => break,
                Ok(bytes) => {
                    self.entries.push(bytes, &mut content, &mut odd);
                    bytes.len()
                }
                Err(error) => return End::Broken(error.to_string()),
            };
            stream.consume_unpin(length);
            self.take(std::mem::take(&mut content)).await;
            self.mark().await;
            if self.entries.take_loss() {
                self.note(LOST.to_owned()).await;
            }
            if self.facts.borrow().is_over {
                return End::Whole;
            }
        }
        if odd.is_empty() {
            return End::Whole;
        }
        End::Broken(String::from_utf8_lossy(&odd[..odd.len().min(1_000)]).trim_end().to_owned())
    }

    /// Tells where an adopter can begin: the kubelet does not keep a long log from its beginning.
    async fn mark(&mut self) {
        let is_idle = self.control.as_ref().is_none_or(|control| {
            let facts = self.facts.borrow();
            control.is_idle() && facts.is_started && facts.code.is_none()
        });
        if self.since_mark < MARK_BYTES || !is_idle || !self.is_at_line_start {
            return;
        }
        if let Some(place) = self.entries.place() {
            self.since_mark = 0;
            self.send(RunnerEvent::Mark(place)).await;
        }
    }

    async fn take(&mut self, content: Vec<u8>) {
        let Some(control) = &mut self.control else { return self.output(content).await };
        for part in control.push(&content) {
            match part {
                Part::Output(bytes) => self.output(bytes).await,
                Part::Said(said) => self.said(said).await,
            }
        }
    }

    async fn said(&mut self, said: Said) {
        match said {
            Said::Start => {
                self.send(RunnerEvent::Started { pid: None }).await;
                self.know(|facts| facts.is_started = true);
            }
            Said::Ended(code) => self.know(|facts| facts.code = Some(code)),
            Said::Left { pid, command } => {
                self.note(format!(
                    "background process {pid} ({command}) was still running after the script ended and was killed"
                ))
                .await;
            }
            Said::More(count) => self.note(format!("{count} more background processes were killed")).await,
            Said::Output if self.is_at_line_start => {}
            Said::Output => self.output(b"\n".to_vec()).await,
            Said::Invalid(message) => self.know(|facts| facts.invalid = Some(message)),
            Said::Over => self.know(|facts| facts.is_over = true),
        }
    }

    async fn output(&mut self, bytes: Vec<u8>) {
        let Some(last) = bytes.last() else { return };
        self.is_at_line_start = *last == b'\n';
        self.since_mark += bytes.len();
        let mut bytes = Bytes::from(bytes);
        while !bytes.is_empty() {
            let bytes = bytes.split_to(bytes.len().min(EVENT_BYTES));
            self.send(RunnerEvent::Output { stream: OutputStream::Stdout, bytes }).await;
        }
    }

    async fn note(&self, text: String) {
        self.send(RunnerEvent::Note(text)).await;
    }

    async fn send(&self, event: RunnerEvent) {
        let _nobody_listens = self.events.send(event).await;
    }

    fn know(&self, change: impl FnOnce(&mut Facts)) {
        self.facts.send_modify(change);
    }

    fn is_over(&self) -> bool {
        is_over(&self.view.borrow())
    }

    async fn until_over(&mut self) {
        // The sender lives as long as the attempt.
        let _never_closed = self.view.wait_for(is_over).await;
    }
}

/// Whether the step's container has ended for all that is known.
fn is_over(view: &View) -> bool {
    let state = view.pod.as_deref().map(status::state);
    view.is_gone || matches!(state, Some(State::Ended(_) | State::Lost(_)))
}
