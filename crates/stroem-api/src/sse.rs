//! Reads a stream of server-sent events.

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent {
    /// `event:`; `message` when not given.
    pub event: String,
    /// `id:`; empty when not given.
    pub id: String,
    /// `data:` lines, joined by newlines.
    pub data: String,
}

/// Turns pieces of a body into events. Comments and unknown fields are passed over, as the format demands.
#[derive(Debug, Default)]
pub struct SseDecoder {
    buffer: Vec<u8>,
}

impl SseDecoder {
    /// Takes a piece and gives the events that it completes.
    pub fn push(&mut self, piece: &[u8]) -> Vec<SseEvent> {
        self.buffer.extend_from_slice(piece);
        let mut events = Vec::new();
        while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
            events.extend(parse(&String::from_utf8_lossy(&block)));
        }
        events
    }
}

fn parse(block: &str) -> Option<SseEvent> {
    let mut event = SseEvent { event: "message".to_owned(), id: String::new(), data: String::new() };
    let mut data: Vec<&str> = Vec::new();
    let mut any = false;
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut event.event),
            "id" => value.clone_into(&mut event.id),
            "data" => data.push(value),
            _ => continue,
        }
        any = true;
    }
    event.data = data.join("\n");
    any.then_some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_whatever_the_pieces() {
        let text = b": hello\n\nevent: log\nid: 3-1\ndata: a\ndata: b\n\ndata: c\n\n";
        for size in 1..text.len() {
            let mut decoder = SseDecoder::default();
            let events: Vec<_> = text.chunks(size).flat_map(|piece| decoder.push(piece)).collect();
            let short: Vec<_> =
                events.iter().map(|e| (e.event.as_str(), e.id.as_str(), e.data.as_str())).collect();
            assert_eq!(short, [("log", "3-1", "a\nb"), ("message", "", "c")], "pieces of {size}");
        }
    }
}
