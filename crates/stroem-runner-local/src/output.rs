//! Reads pipes of a process into events.

use bytes::BytesMut;
use stroem_runner::{EventSender, OutputStream, RunnerEvent};
use tokio::io::{AsyncRead, AsyncReadExt};

const READ_BYTES: usize = 64 << 10;

/// Reads until the pipe ends or nobody listens any more.
pub(crate) async fn pump<P: AsyncRead + Unpin>(pipe: Option<P>, stream: OutputStream, events: EventSender) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(READ_BYTES);
        match pipe.read_buf(&mut buffer).await {
            Ok(0) => return,
            Ok(_) => {
                let bytes = buffer.split().freeze();
                if events.send(RunnerEvent::Output { stream, bytes }).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                let note = RunnerEvent::Note(format!("output cannot be read any further: {error}"));
                let _ = events.send(note).await;
                return;
            }
        }
    }
}
