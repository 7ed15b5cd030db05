//! A container's output, through the logs API: followed while it runs, and read once more when it ended, so that nothing
//! depends on who was faster.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bollard::{Docker, container::LogOutput, errors::Error, query_parameters::LogsOptions};
use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use stroem_runner::{EventSender, OutputStream, RunnerEvent};

use crate::position::{Entry, Position};

/// Bytes of one event at most.
const EVENT_BYTES: usize = 64 << 10;
/// Entries that are taken at once when they are there.
const ENTRIES: usize = 256;

/// The output of one container. Reading may be dropped at any point: what was not handed over then comes again.
pub(crate) struct Logs<'a> {
    docker: &'a Docker,
    container: &'a str,
    events: &'a EventSender,
    /// What was handed over.
    position: Position,
    arrived: Arc<AtomicU64>,
    clock: Clock,
    /// Whether what was handed over of standard output ends with a line's end.
    pub(crate) at_line_start: bool,
}

impl<'a> Logs<'a> {
    pub(crate) fn new(docker: &'a Docker, container: &'a str, events: &'a EventSender) -> Self {
        Self {
            docker,
            container,
            events,
            position: Position::default(),
            arrived: Arc::default(),
            clock: Clock::default(),
            at_line_start: true,
        }
    }

    /// Grows whenever something is handed over.
    pub(crate) fn arrived(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.arrived)
    }

    /// Follows until the container ends or the connection does.
    pub(crate) async fn follow(&mut self) -> Result<(), Error> {
        self.read(true).await
    }

    /// Takes what a follower has not seen of a container that ended.
    pub(crate) async fn rest(&mut self) -> Result<(), Error> {
        self.read(false).await?;
        for stream in [OutputStream::Stdout, OutputStream::Stderr] {
            if self.position.owes_end(stream) {
                self.send(stream, Bytes::from_static(b"\n")).await;
            }
        }
        Ok(())
    }

    async fn read(&mut self, follow: bool) -> Result<(), Error> {
        let since = i32::try_from(self.position.resume()).unwrap_or(0);
        let options = LogsOptions {
            follow,
            stdout: true,
            stderr: true,
            since,
            until: 0,
            timestamps: true,
            tail: "all".to_owned(),
        };
        let entries: Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>> =
            Box::pin(self.docker.logs(self.container, Some(options)));
        let mut entries = entries.ready_chunks(ENTRIES);
        let mut ahead = self.position.clone();
        while let Some(ready) = entries.next().await {
            let mut pack = Pack::default();
            let mut ended = Ok(());
            for entry in ready {
                match entry {
                    Ok(entry) => self.take(entry, &mut ahead, &mut pack).await,
                    Err(error) => ended = Err(error),
                }
            }
            self.hand_over(&mut pack, &ahead).await;
            ended?;
        }
        Ok(())
    }

    async fn take(&mut self, entry: LogOutput, ahead: &mut Position, pack: &mut Pack) {
        let (stream, message) = match entry {
            LogOutput::StdOut { message } => (OutputStream::Stdout, message),
            LogOutput::StdErr { message } => (OutputStream::Stderr, message),
            LogOutput::StdIn { message } | LogOutput::Console { message } => {
                let text = String::from_utf8_lossy(&message);
                tracing::warn!(
                    container = self.container,
                    text = text.trim(),
                    "the engine says something in a log"
                );
                return;
            }
        };
        let (second, mut text) = self.clock.split(message);
        let before = ahead.clone();
        let entry = ahead.take(stream, second, &text);
        if entry == Entry::Known {
            return;
        }
        if pack.stream != Some(stream) || pack.bytes.len() + text.len() >= EVENT_BYTES {
            self.hand_over(pack, &before).await;
            pack.stream = Some(stream);
        }
        if entry == Entry::NewAfterLostEnd {
            pack.bytes.extend_from_slice(b"\n");
        }
        // Engines keep entries of 16 KiB at most; a longer one goes in pieces.
        while text.len() > EVENT_BYTES {
            self.send(stream, text.split_to(EVENT_BYTES)).await;
        }
        pack.bytes.extend_from_slice(&text);
    }

    /// Sends what is packed; `position` is where the log stands then.
    async fn hand_over(&mut self, pack: &mut Pack, position: &Position) {
        if let Some(stream) = pack.stream.filter(|_| !pack.bytes.is_empty()) {
            let bytes = pack.bytes.split().freeze();
            self.send(stream, bytes).await;
        }
        self.position = position.clone();
    }

    async fn send(&mut self, stream: OutputStream, bytes: Bytes) {
        let ends_line = bytes.last() == Some(&b'\n');
        // When nobody listens any more the output is discarded.
        let _ = self.events.send(RunnerEvent::Output { stream, bytes }).await;
        self.arrived.fetch_add(1, Ordering::Relaxed);
        if stream == OutputStream::Stdout {
            self.at_line_start = ends_line;
        }
    }
}

/// Entries of one stream on their way into one event.
#[derive(Default)]
struct Pack {
    stream: Option<OutputStream>,
    bytes: BytesMut,
}

/// Reads the times before entries; many have the same second.
#[derive(Default)]
struct Clock {
    text: Vec<u8>,
    second: i64,
}

/// `2026-01-31T12:00:00`
const SECOND_CHARS: usize = 19;

impl Clock {
    /// The second of an entry, and its text.
    fn split(&mut self, mut message: Bytes) -> (i64, Bytes) {
        let Some(space) = message.iter().take(64).position(|byte| *byte == b' ') else { return (0, message) };
        let time = message.split_to(space);
        message.advance(1);
        if time.len() < SECOND_CHARS || time[..SECOND_CHARS] != *self.text {
            let parsed =
                std::str::from_utf8(&time).ok().and_then(|text| text.parse::<jiff::Timestamp>().ok());
            self.second = parsed.map_or(0, jiff::Timestamp::as_second);
            self.text = time.get(..SECOND_CHARS).unwrap_or_default().to_vec();
        }
        (self.second, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_an_entry_is_split_off() {
        let mut clock = Clock::default();
        for (entry, second, text) in [
            ("1970-01-01T00:01:05.123456789Z a b\n", 65, "a b\n"),
            ("1970-01-01T00:01:05.999999999Z ", 65, ""),
            ("1970-01-01T00:02:00Z x", 120, "x"),
        ] {
            let (found, rest) = clock.split(Bytes::from(entry));
            assert_eq!((found, rest), (second, Bytes::from(text)), "{entry}");
        }
    }
}
