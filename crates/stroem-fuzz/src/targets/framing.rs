//! Lines out of bytes: what comes out does not depend on how the bytes were cut, nothing is lost, and no more is held
//! than the limits allow.

use stroem_logs::frame::{Frame, FrameLimits, Framer};

use super::{Target, kind, pieces};

pub(super) struct Framing;

const LIMITS: FrameLimits = FrameLimits { line_bytes: 24, output_bytes: 40 };

/// What a framer may hold beside the larger limit: the prefix, white space around an output, undecided bytes.
const SLACK_BYTES: usize = 128;

impl Target for Framing {
    fn name(&self) -> &'static str {
        "framing"
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        let seeds: [&[u8]; 6] = [
            b"one\ntwo\r\nthree",
            b"OUTPUT: {\"a\": 1}\nOUTPUT:{}\n OUTPUT: no\n",
            b"a line that is longer than the limit of a line, and goes on\n\r\r\n\n",
            "grüße \u{1f511}\u{1f511}\u{1f511}\u{1f511}\u{1f511}\u{1f511}\u{1f511}\n".as_bytes(),
            b"OUTPUT: {\"a\": \"an output that is longer than the limit of an output\"}\nafter\n",
            b"\xff\xfe\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\n",
        ];
        seeds.iter().map(|seed| seed.to_vec()).collect()
    }

    fn words(&self) -> &[&'static str] {
        &["OUTPUT:", "OUTPUT: ", "\n", "\r\n", "\r", "é", "\u{1f511}", "0123456789abcdef01234567", " ", "{}"]
    }

    fn run(&self, input: &[u8]) -> Result<u64, String> {
        let whole = frames(Framer::new(LIMITS), &[input])?;
        let cut = frames(Framer::new(LIMITS), &pieces(input))?;
        if whole != cut {
            return Err(format!("cutting changes the frames: {whole:?} and {cut:?}"));
        }
        let plain = frames(Framer::lines_only(LIMITS), &pieces(input))?;
        if joined(&plain)? != expected(input) {
            return Err(format!("bytes are lost or changed: {plain:?}"));
        }
        let kinds: Vec<(u8, usize)> =
            whole.iter().map(|(kind, text)| (*kind, text.len() / 8)).take(6).collect();
        Ok(kind((kinds, whole.len().min(12))))
    }
}

/// Kind (0 a line, 1 a piece that goes on, 2 an output, 3 one too large) and bytes of each frame.
fn frames(mut framer: Framer, pieces: &[&[u8]]) -> Result<Vec<(u8, Vec<u8>)>, String> {
    let mut found = Vec::new();
    let mut sink = |frame: Frame<'_>| {
        found.push(match frame {
            Frame::Line { text, continued } => (u8::from(continued), text.to_vec()),
            Frame::Output(text) => (2, text.to_vec()),
            Frame::OutputTooLarge => (3, Vec::new()),
        });
    };
    let mut most = 0;
    for piece in pieces {
        framer.push(piece, &mut sink);
        most = most.max(framer.buffer_capacity());
    }
    framer.finish(&mut sink);
    if most > LIMITS.line_bytes.max(LIMITS.output_bytes) + SLACK_BYTES {
        return Err(format!("{most} bytes are held"));
    }
    let too_long = |(kind, text): &&(u8, Vec<u8>)| match kind {
        0 | 1 => text.len() > LIMITS.line_bytes,
        _ => text.len() > LIMITS.output_bytes,
    };
    match found.iter().find(too_long) {
        Some(frame) => Err(format!("a frame is too long: {frame:?}")),
        None => Ok(found),
    }
}

/// The lines that frames make together.
fn joined(frames: &[(u8, Vec<u8>)]) -> Result<Vec<Vec<u8>>, String> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for (kind, text) in frames {
        match (kind, lines.last_mut()) {
            (0, _) => lines.push(text.clone()),
            (1, Some(line)) => line.extend_from_slice(text),
            _ => return Err(format!("a frame of kind {kind} stands where none can")),
        }
    }
    Ok(lines)
}

/// The lines by their definition: cut at `\n`, one `\r` before it taken off; a last one without `\n` as it is.
fn expected(input: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    let last = lines.pop().unwrap_or_default();
    let without = |line: &&[u8]| line.strip_suffix(b"\r").unwrap_or(line).to_vec();
    let mut expected: Vec<Vec<u8>> = lines.iter().map(without).collect();
    if !last.is_empty() {
        expected.push(last.to_vec());
    }
    expected
}
