//! A job's log as a stream that survives a server's restart, and in pages.

use std::pin::pin;

use futures_util::{
    StreamExt as _,
    stream::{self, Stream},
};
use http_body_util::BodyExt as _;
use stroem_api::{ApiClient, ResponseBody, SseDecoder, SseEvent, public::LogLine};
use stroem_core::JobId;

use crate::{
    failure::Failure,
    follow::{
        away::Presence,
        lines::{self, Prefix, Shape},
    },
    terminal::{Format, Terminal},
};

/// What comes of a log.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LogEvent {
    /// Lines, in order.
    Lines(Vec<LogLine>),
    /// The server is away; to be said once.
    Away(String),
    /// The log is complete.
    End,
}

struct Log {
    client: ApiClient,
    job: JobId,
    /// The id of the last event that was taken.
    position: Option<String>,
    connection: Option<(ResponseBody, SseDecoder)>,
    waiting: std::collections::VecDeque<SseEvent>,
    presence: Presence,
    ended: bool,
}

/// The log after a position, from its beginning when none. Ends after [`LogEvent::End`].
pub(super) fn events(
    client: ApiClient,
    job: JobId,
    position: Option<String>,
) -> impl Stream<Item = Result<LogEvent, Failure>> {
    let log = Log {
        client,
        job,
        position,
        connection: None,
        waiting: std::collections::VecDeque::new(),
        presence: Presence::new(),
        ended: false,
    };
    stream::try_unfold(log, async |mut log| Ok(log.next().await?.map(|event| (event, log))))
}

impl Log {
    async fn next(&mut self) -> Result<Option<LogEvent>, Failure> {
        while !self.ended {
            if let Some(event) = self.waiting.pop_front() {
                match self.take(event)? {
                    Some(event) => return Ok(Some(event)),
                    None => continue,
                }
            }
            if let Some(remark) = self.receive().await? {
                return Ok(Some(LogEvent::Away(remark)));
            }
        }
        Ok(None)
    }

    /// Takes an event of the server; events of other kinds are passed over.
    fn take(&mut self, event: SseEvent) -> Result<Option<LogEvent>, Failure> {
        match event.event.as_str() {
            "lines" => {
                let lines = parse(&event.data)?;
                self.position = Some(event.id);
                Ok(Some(LogEvent::Lines(lines)))
            }
            "end" => {
                self.ended = true;
                Ok(Some(LogEvent::End))
            }
            _ => Ok(None),
        }
    }

    /// Reads more from the server, connecting first if need be. Gives what to say when it is away.
    async fn receive(&mut self) -> Result<Option<String>, Failure> {
        let Some((body, decoder)) = &mut self.connection else { return self.connect().await };
        match body.frame().await {
            Some(Ok(frame)) => {
                if let Ok(piece) = frame.into_data() {
                    self.waiting.extend(decoder.push(&piece));
                }
                Ok(None)
            }
            Some(Err(_)) | None => {
                // The server stopped or the line broke: the next try says which server cannot be reached.
                self.connection = None;
                self.presence.pause().await;
                Ok(None)
            }
        }
    }

    async fn connect(&mut self) -> Result<Option<String>, Failure> {
        match self.client.log_events(self.job, self.position.as_deref()).await {
            Ok(body) => {
                self.presence.is_here();
                self.connection = Some((body, SseDecoder::default()));
                Ok(None)
            }
            Err(error) => {
                let remark = self.presence.is_away(error)?;
                self.presence.pause().await;
                Ok(remark)
            }
        }
    }
}

fn parse(array: &str) -> Result<Vec<LogLine>, Failure> {
    serde_json::from_str(array).map_err(|error| Failure::Internal {
        message: format!("the server's log lines cannot be read: {error}"),
    })
}

/// Writes a job's log, or one step's lines of it, until it is complete.
pub(crate) async fn followed(
    client: &ApiClient,
    job: JobId,
    step: Option<&str>,
    terminal: &Terminal,
) -> Result<(), Failure> {
    let mut events = pin!(events(client.clone(), job, None));
    while let Some(event) = events.next().await {
        match event? {
            LogEvent::Lines(mut lines) => {
                lines.retain(|line| step.is_none_or(|step| line.step == step));
                write(&lines, step, terminal)?;
            }
            LogEvent::Away(remark) => terminal.note(&remark),
            LogEvent::End => break,
        }
    }
    Ok(())
}

/// Writes what is there of a log.
pub(crate) async fn pages(
    client: &ApiClient,
    job: JobId,
    step: Option<&str>,
    terminal: &Terminal,
) -> Result<(), Failure> {
    let mut cursor: Option<String> = None;
    loop {
        let page = client.logs(job, step, cursor.as_deref()).await?;
        let lines = parse(&format!("[{}]", page.logs.trim_end().replace('\n', ",")))?;
        write(&lines, step, terminal)?;
        // A page of one step can be empty where only others wrote; the end is where the cursor stays.
        if page.complete || cursor.as_ref() == Some(&page.next_cursor) {
            return Ok(());
        }
        cursor = Some(page.next_cursor);
    }
}

/// Here the log is the result: lines for people, or a JSON object each.
fn write(lines: &[LogLine], step: Option<&str>, terminal: &Terminal) -> Result<(), Failure> {
    match terminal.format() {
        Format::Text => {
            let prefix = if step.is_some() { Prefix::Nothing } else { Prefix::Step };
            terminal.result(&lines::text(
                lines,
                prefix,
                Shape { color: terminal.color_out(), tame: terminal.is_shown() },
            ))
        }
        Format::Json => terminal.result(&lines::json(lines)),
    }
}
