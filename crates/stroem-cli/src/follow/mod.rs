//! Follows a job: its log and its steps as they come, then its result. A server that goes away and comes back loses
//! no line and repeats none: the position in the log is the id of the last event.

mod away;
mod frame;
mod lines;
mod log;
mod states;
#[cfg(test)]
mod tests;
mod view;

use std::{pin::pin, time::Duration};

use futures_util::{
    StreamExt as _,
    stream::{self, Stream},
};
use stroem_api::{ApiClient, public::JobDetail};
use stroem_core::JobId;

pub(crate) use log::{followed as log, pages};

use crate::{
    clock,
    compose::process::Signals,
    exit::Exit,
    failure::Failure,
    follow::{log::LogEvent, states::StateEvent, view::View},
    render,
    terminal::{Format, Terminal},
};

/// What to show of a job on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follow {
    /// Its log.
    Log,
    /// Only its steps, where a terminal can show them.
    Quietly,
}

/// How often the live view is drawn while nothing happens.
const TICK: Duration = Duration::from_millis(100);

/// Follows a job to its end, writes its result, and says how the program ends.
pub(crate) async fn to_the_end(
    client: &ApiClient,
    job: JobId,
    show: Follow,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    until_end(client, job, show, terminal, stream::pending()).await
}

/// The same for a job of this very process: the first Ctrl-C cancels it, the second ends the program at once.
pub(crate) async fn interruptible(
    client: &ApiClient,
    job: JobId,
    show: Follow,
    terminal: &Terminal,
    signals: &mut Signals,
) -> Result<Exit, Failure> {
    let told = stream::unfold(signals, async |signals| {
        signals.next().await;
        Some((Ok(()), signals))
    });
    until_end(client, job, show, terminal, told).await
}

async fn until_end(
    client: &ApiClient,
    job: JobId,
    show: Follow,
    terminal: &Terminal,
    interrupts: impl Stream<Item = Result<(), Failure>>,
) -> Result<Exit, Failure> {
    let mut view = View::new(terminal);
    let following = watch(client, job, show, &mut view, interrupts).await;
    view.clear();
    let Some(detail) = following? else { return Ok(Exit::Cancelled) };
    match terminal.format() {
        Format::Json => terminal.json(&detail)?,
        Format::Text => terminal.result(&render::job(&detail))?,
    }
    Ok(Exit::of_job(detail.status))
}

/// Shows the job until it ended and its log is complete; none when the user did not want to wait for that.
async fn watch(
    client: &ApiClient,
    job: JobId,
    show: Follow,
    view: &mut View<'_>,
    interrupts: impl Stream<Item = Result<(), Failure>>,
) -> Result<Option<JobDetail>, Failure> {
    let mut log = pin!(log::events(client.clone(), job, None));
    let mut states = pin!(states::events(client.clone(), job));
    let mut interrupts = pin!(interrupts);
    let mut cancelling = false;
    let mut ticks = tokio::time::interval(TICK);
    let mut log_open = show == Follow::Log;
    let mut ended: Option<JobDetail> = None;
    while log_open || ended.is_none() {
        // Without a live view the steps are of interest only once the log is complete.
        let look = ended.is_none() && (view.is_live() || !log_open);
        tokio::select! {
            biased;
            Some(told) = interrupts.next() => {
                told?;
                if cancelling {
                    return Ok(None);
                }
                view.note("cancelling; once more to end at once\n");
                cancelling = true;
                cancel(client, job).await?;
            }
            Some(event) = log.next(), if log_open => match event? {
                LogEvent::Lines(lines) => view.lines(&lines)?,
                LogEvent::Away(remark) => view.note(&remark),
                LogEvent::End => log_open = false,
            },
            Some(event) = states.next(), if look => match event? {
                StateEvent::Changed(detail) => {
                    view.show(&detail, clock::now());
                    ended = detail.completed_at.is_some().then_some(*detail);
                }
                StateEvent::Away(remark) => view.note(&remark),
            },
            _ = ticks.tick(), if view.is_live() => view.tick(clock::now()),
        }
    }
    Ok(ended)
}

async fn cancel(client: &ApiClient, job: JobId) -> Result<(), Failure> {
    match client.cancel(job).await {
        Ok(_) => Ok(()),
        // It ended in the same moment.
        Err(error) if error.code() == Some("job_ended") => Ok(()),
        Err(error) => Err(error.into()),
    }
}
