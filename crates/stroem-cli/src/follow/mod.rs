//! Follows a job: its log as it comes, then its result. A server that goes away and comes back loses no line and
//! repeats none: the position in the log is the id of the last event.

use std::time::Duration;

use http_body_util::BodyExt;
use stroem_api::{
    ApiClient, ApiError, SseDecoder,
    public::{JobDetail, LogLine},
};
use stroem_core::JobId;

use crate::{
    exit::Exit,
    failure::Failure,
    render,
    terminal::{Format, Terminal},
};

/// What to show of a job on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follow {
    /// Its log.
    Log,
    /// Nothing.
    Quietly,
}

/// What a log is for its command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aside {
    /// The command's result is the job; the log is told on the way.
    FromResult,
    /// The log is what was asked for.
    IsTheResult,
}

const PAUSE: Duration = Duration::from_millis(300);
const WAIT_MS: u64 = 25_000;

/// Follows a job to its end, writes its result, and says how the program ends.
pub(crate) async fn to_the_end(
    client: &ApiClient,
    job: JobId,
    show: Follow,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    if show == Follow::Log {
        log(client, job, Aside::FromResult, terminal).await?;
    }
    let detail = ended(client, job, terminal).await?;
    match terminal.format() {
        Format::Json => terminal.json(&detail)?,
        Format::Text => terminal.result(&render::job(&detail))?,
    }
    Ok(Exit::of_job(detail.status))
}

/// The same for a job of this very process: the first Ctrl-C cancels it.
pub(crate) async fn interruptible(
    client: &ApiClient,
    job: JobId,
    show: Follow,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let following = to_the_end(client, job, show, terminal);
    tokio::pin!(following);
    tokio::select! {
        exit = &mut following => return exit,
        told = crate::compose::process::until_told(tokio_util::sync::CancellationToken::new()) => told?,
    }
    terminal.note("cancelling\n");
    match client.cancel(job).await {
        Ok(_) => {}
        // It ended in the same moment.
        Err(error) if error.code() == Some("job_ended") => {}
        Err(error) => return Err(error.into()),
    }
    following.await
}

/// Waits until a job ended.
async fn ended(client: &ApiClient, job: JobId, terminal: &Terminal) -> Result<JobDetail, Failure> {
    let mut version = -1;
    let mut connected = true;
    loop {
        match client.job_after(job, version, WAIT_MS).await {
            Ok(detail) if detail.completed_at.is_some() => return Ok(detail),
            Ok(detail) => {
                version = detail.version;
                connected = true;
            }
            Err(error) => reconnect(error, &mut connected, terminal).await?,
        }
    }
}

/// Writes a job's log until it is complete.
pub(crate) async fn log(
    client: &ApiClient,
    job: JobId,
    aside: Aside,
    terminal: &Terminal,
) -> Result<(), Failure> {
    let mut position: Option<String> = None;
    let mut connected = true;
    loop {
        let body = match client.log_events(job, position.as_deref()).await {
            Ok(body) => body,
            Err(error) => {
                reconnect(error, &mut connected, terminal).await?;
                continue;
            }
        };
        connected = true;
        let mut body = body;
        let mut decoder = SseDecoder::default();
        while let Some(Ok(frame)) = body.frame().await {
            let Ok(piece) = frame.into_data() else { continue };
            for event in decoder.push(&piece) {
                match event.event.as_str() {
                    "lines" => write_lines(&event.data, aside, terminal)?,
                    "end" => return Ok(()),
                    _ => continue,
                }
                position = Some(event.id);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
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
        if page.logs.is_empty() {
            return Ok(());
        }
        let array = format!("[{}]", page.logs.trim_end().replace('\n', ","));
        write_lines(&array, Aside::IsTheResult, terminal)?;
        cursor = Some(page.next_cursor);
    }
}

/// The server is away: says so once and waits. Everything else is the caller's failure.
async fn reconnect(error: ApiError, connected: &mut bool, terminal: &Terminal) -> Result<(), Failure> {
    let away = match &error {
        ApiError::Transport(_) => true,
        ApiError::Refused { status, .. } => *status >= 502,
        ApiError::Unreadable { .. } => false,
    };
    if !away {
        return Err(error.into());
    }
    if *connected {
        terminal.note(&format!("{error}; trying again\n"));
        *connected = false;
    }
    tokio::time::sleep(PAUSE).await;
    Ok(())
}

fn write_lines(array: &str, aside: Aside, terminal: &Terminal) -> Result<(), Failure> {
    let lines: Vec<LogLine> = serde_json::from_str(array).map_err(|error| Failure::Internal {
        message: format!("the server's log lines cannot be read: {error}"),
    })?;
    let mut text = String::new();
    for line in lines {
        match terminal.format() {
            Format::Json => {
                text += &serde_json::to_string(&line).unwrap_or_default();
                text.push('\n');
            }
            Format::Text => {
                let step = console::Style::new()
                    .cyan()
                    .force_styling(terminal.color_out())
                    .apply_to(&line.step)
                    .to_string();
                let mark = if line.stream == "engine" { "*" } else { "|" };
                text += &format!("{step} {mark} {}\n", line.line);
            }
        }
    }
    match (terminal.format(), aside) {
        // The result on the standard output is one JSON document; the log on its way is beside it.
        (Format::Json, Aside::FromResult) => terminal.note(&text),
        _ => terminal.result(&text)?,
    }
    Ok(())
}
