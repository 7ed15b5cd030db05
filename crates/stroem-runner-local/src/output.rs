//! The output of a step: pipes while it runs, its output file when it ended.

use std::{
    io::Read,
    os::fd::OwnedFd,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use bytes::{Bytes, BytesMut};
use rustix::fs::{Mode, OFlags};
use stroem_core::limits;
use stroem_runner::{EventSender, OutputStream, RunnerEvent};
use tokio::{io::AsyncReadExt, net::unix::pipe};

const READ_BYTES: usize = 64 << 10;
/// What a pipe is enlarged to once a command turns out to print fast, so that it need not wait for each of our reads.
const FAST_PIPE_BYTES: usize = 256 << 10;

/// What is known of the stream of one pipe.
#[derive(Debug)]
pub(crate) struct Flow {
    /// It waits for the receiver to take what it read, so the pipe may hold more.
    is_delivering: AtomicBool,
    at_line_start: AtomicBool,
}

impl Flow {
    pub(crate) fn new() -> Self {
        Self { is_delivering: AtomicBool::new(false), at_line_start: AtomicBool::new(true) }
    }

    pub(crate) fn is_delivering(&self) -> bool {
        self.is_delivering.load(Ordering::Relaxed)
    }
}

/// Reads a pipe to its end.
pub(crate) async fn pump(pipe: OwnedFd, stream: OutputStream, events: &EventSender, flow: &Flow) {
    if let Err(error) = read(pipe, stream, events, flow).await {
        let text = format!("output cannot be read any further: {error}");
        send(events, RunnerEvent::Note(text)).await;
    }
}

async fn read(pipe: OwnedFd, stream: OutputStream, events: &EventSender, flow: &Flow) -> std::io::Result<()> {
    let mut pipe = pipe::Receiver::from_owned_fd(pipe)?;
    let mut buffer = BytesMut::new();
    let mut is_fast = false;
    loop {
        buffer.reserve(READ_BYTES);
        let length = (&mut pipe).take(READ_BYTES as u64).read_buf(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        if length == READ_BYTES && !is_fast {
            is_fast = true;
            // Refused when the user's pipes have used up their share, and then it stays as it is.
            let _ = rustix::pipe::fcntl_setpipe_size(&pipe, FAST_PIPE_BYTES);
        }
        flow.at_line_start.store(buffer.last() == Some(&b'\n'), Ordering::Relaxed);
        let bytes = buffer.split().freeze();
        flow.is_delivering.store(true, Ordering::Relaxed);
        send(events, RunnerEvent::Output { stream, bytes }).await;
        flow.is_delivering.store(false, Ordering::Relaxed);
    }
}

/// Sends an event; one that nobody listens to any more is discarded.
pub(crate) async fn send(events: &EventSender, event: RunnerEvent) {
    let _nobody_listens = events.send(event).await;
}

/// What a step wrote to `STROEM_OUTPUT` counts as a line `OUTPUT: ...` at the end of its output.
pub(crate) async fn send_output_file(path: &Path, stdout: &Flow, events: &EventSender) {
    let path = path.to_owned();
    // A panic there cannot happen; it would lose an output that is not there.
    let text = tokio::task::spawn_blocking(move || read_output_file(&path)).await.ok().flatten();
    let Some(text) = text else { return };
    let mut line = Vec::with_capacity(text.len() + 16);
    if !stdout.at_line_start.load(Ordering::Relaxed) {
        line.push(b'\n');
    }
    line.extend_from_slice(b"OUTPUT: ");
    // Line breaks mean nothing between JSON's tokens and cannot stand inside them.
    line.extend(text.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
    line.push(b'\n');
    let mut line = Bytes::from(line);
    while !line.is_empty() {
        let bytes = line.split_to(line.len().min(READ_BYTES));
        send(events, RunnerEvent::Output { stream: OutputStream::Stdout, bytes }).await;
    }
}

/// At most one byte more than the limit, which whoever frames the line then sees. Nothing if there is no such file, or
/// something else in its place that could make the worker wait or read what is not the step's.
fn read_output_file(path: &Path) -> Option<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = std::fs::File::from(rustix::fs::open(path, flags, Mode::empty()).ok()?);
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = Vec::new();
    file.take(limits::STEP_OUTPUT.as_bytes() + 1).read_to_end(&mut text).ok()?;
    let end = text.trim_ascii_end().len();
    text.truncate(end);
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_file_with_content_is_an_output() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("output");
        assert_eq!(read_output_file(&path), None);
        std::fs::write(&path, " \n").expect("written");
        assert_eq!(read_output_file(&path), None);
        std::fs::write(&path, "{\n  \"a\": 1\n}\n\n").expect("written");
        assert_eq!(read_output_file(&path).as_deref(), Some(b"{\n  \"a\": 1\n}".as_slice()));
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).expect("linked");
        assert_eq!(read_output_file(&link), None);
    }
}
