//! Finds the wrapper's lines among the script's. They begin with a mark and the attempt's nonce, anywhere in the stream,
//! since what the script printed before may lack its line end. Pure.

use std::ops::ControlFlow;

/// The longest line of the wrapper; what is longer is cut.
const LINE: usize = 16 << 10;

/// Divides a stream.
#[derive(Debug)]
pub(crate) struct Control {
    mark: Vec<u8>,
    /// Bytes that may be the beginning of a mark.
    held: usize,
    /// A line of the wrapper that has not ended.
    line: Option<Vec<u8>>,
}

/// A part of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// The script's.
    Output(Vec<u8>),
    /// The wrapper's.
    Said(Said),
}

/// What the wrapper says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// The script is started next.
    Start,
    /// It ended with this code, before any stop.
    Ended(i32),
    /// A process that it left running.
    Left { pid: String, command: String },
    /// So many more of them.
    More(u32),
    /// The output file's line follows.
    Output,
    /// The user has to change something.
    Invalid(String),
    /// Nothing runs any more and nothing follows.
    Over,
}

impl Control {
    pub(crate) fn new(nonce: &str) -> Self {
        Self { mark: format!("\u{1e}{nonce}:").into_bytes(), held: 0, line: None }
    }

    /// Takes bytes; gives the parts that are complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut output = self.mark[..self.held].to_vec();
        output.extend_from_slice(bytes);
        let mut rest = output.as_slice();
        if self.line.is_some() {
            rest = bytes;
        }
        self.held = 0;
        while !rest.is_empty() {
            rest = match self.line.take() {
                Some(line) => self.take_line(line, rest, &mut parts),
                None => match self.find(rest) {
                    ControlFlow::Break(at) => {
                        push_output(&mut parts, &rest[..at]);
                        self.line = Some(Vec::new());
                        &rest[at + self.mark.len()..]
                    }
                    ControlFlow::Continue(held) => {
                        push_output(&mut parts, &rest[..rest.len() - held]);
                        self.held = held;
                        &[]
                    }
                },
            };
        }
        parts
    }

    /// Whether it is in nothing that it would have to know of when it began anew here.
    pub(crate) const fn is_idle(&self) -> bool {
        self.held == 0 && self.line.is_none()
    }

    /// What is held back when the stream ends.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        self.mark[..std::mem::take(&mut self.held)].to_vec()
    }

    /// Where the mark begins, or how many bytes at the end may be its beginning.
    fn find(&self, bytes: &[u8]) -> ControlFlow<usize, usize> {
        let mut from = 0;
        while let Some(at) = bytes[from..].iter().position(|byte| *byte == self.mark[0]) {
            let at = from + at;
            let tail = &bytes[at..];
            if tail.starts_with(&self.mark) {
                return ControlFlow::Break(at);
            }
            if self.mark.starts_with(tail) {
                return ControlFlow::Continue(tail.len());
            }
            from = at + 1;
        }
        ControlFlow::Continue(0)
    }

    fn take_line<'a>(&mut self, mut line: Vec<u8>, bytes: &'a [u8], parts: &mut Vec<Part>) -> &'a [u8] {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let text = &bytes[..end.unwrap_or(bytes.len())];
        line.extend_from_slice(&text[..text.len().min(LINE - line.len().min(LINE))]);
        match end {
            Some(end) => {
                parts.extend(said(&String::from_utf8_lossy(&line)).map(Part::Said));
                &bytes[end + 1..]
            }
            None => {
                self.line = Some(line);
                &[]
            }
        }
    }
}

fn push_output(parts: &mut Vec<Part>, bytes: &[u8]) {
    if !bytes.is_empty() {
        parts.push(Part::Output(bytes.to_vec()));
    }
}

fn said(line: &str) -> Option<Said> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    Some(match word {
        "start" => Said::Start,
        "ended" => Said::Ended(rest.parse().ok()?),
        "left" => {
            let (pid, command) = rest.split_once(' ').unwrap_or((rest, ""));
            Said::Left { pid: pid.to_owned(), command: command.trim_end().to_owned() }
        }
        "more" => Said::More(rest.parse().ok()?),
        "output" => Said::Output,
        "invalid" => Said::Invalid(rest.to_owned()),
        "over" => Said::Over,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(stream: &[u8], size: usize) -> (Vec<u8>, Vec<Said>) {
        let mut control = Control::new("n0nce");
        let (mut output, mut said) = (Vec::new(), Vec::new());
        for part in stream.chunks(size).flat_map(|bytes| control.push(bytes)) {
            match part {
                Part::Output(bytes) => output.extend(bytes),
                Part::Said(word) => said.push(word),
            }
        }
        output.extend(control.rest());
        (output, said)
    }

    #[test]
    fn the_wrappers_lines_are_found_whatever_the_pieces() {
        let stream = b"\x1en0nce:start\na\x1e\x1en0nc no\x1en0nce:ended 3\n\x1en0nce:left 7 sleep 1 \n\x1en0nce:over\nb\x1en0";
        for size in 1..stream.len() {
            let (output, said) = take(stream, size);
            assert_eq!(output, b"a\x1e\x1en0nc nob\x1en0", "{size}");
            let left = Said::Left { pid: "7".to_owned(), command: "sleep 1".to_owned() };
            assert_eq!(said, [Said::Start, Said::Ended(3), left, Said::Over], "{size}");
        }
    }

    #[test]
    fn another_nonce_is_output() {
        let (output, said) = take(b"\x1eother:over\n", 4);
        assert_eq!((output.as_slice(), said), (b"\x1eother:over\n".as_slice(), vec![]));
    }
}
