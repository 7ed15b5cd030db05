//! Changes to an input: of bytes, of lines with their indentation, and of the words that a target knows.

use crate::random::Random;

/// No input grows beyond this.
const LENGTH_MAX: usize = 64 << 10;

/// A changed copy of an input. `other` is another input to take parts of, `words` what the target's language is made of.
pub fn mutate(random: &mut Random, input: &[u8], other: &[u8], words: &[&str]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    // Mostly small steps, now and then a leap.
    let most = if random.once_in(8) { 24 } else { 4 };
    for _ in 0..=random.below(most) {
        match random.below(12) {
            0 => flip(random, &mut bytes),
            1 => remove(random, &mut bytes),
            2 => repeat(random, &mut bytes),
            3..=5 => insert_word(random, &mut bytes, words),
            6 => replace_word(random, &mut bytes, words),
            7 => number(random, &mut bytes),
            8 => splice(random, &mut bytes, other),
            9 => lines(random, &mut bytes, |random, lines| {
                let (a, b) = (random.below(lines.len()), random.below(lines.len()));
                lines.swap(a, b);
            }),
            10 => lines(random, &mut bytes, |random, lines| {
                let line = random.pick(lines).clone();
                let at = random.below(lines.len() + 1);
                lines.insert(at, line);
            }),
            _ => lines(random, &mut bytes, |random, lines| indent(random, lines)),
        }
        bytes.truncate(LENGTH_MAX);
    }
    bytes
}

fn flip(random: &mut Random, bytes: &mut [u8]) {
    if !bytes.is_empty() {
        let at = random.below(bytes.len());
        bytes[at] = if random.once_in(2) { bytes[at] ^ (1 << random.below(8)) } else { random.next() as u8 };
    }
}

fn range(random: &mut Random, length: usize) -> std::ops::Range<usize> {
    let from = random.below(length + 1);
    let most = if random.once_in(4) { length } else { 16 };
    from..(from + random.below(most + 1)).min(length)
}

fn remove(random: &mut Random, bytes: &mut Vec<u8>) {
    let range = range(random, bytes.len());
    bytes.drain(range);
}

fn repeat(random: &mut Random, bytes: &mut Vec<u8>) {
    let range = range(random, bytes.len());
    let times = if random.once_in(8) { 200 } else { 1 + random.below(4) };
    let part = bytes[range.clone()].repeat(times.min(1 + LENGTH_MAX / (range.len() + 1)));
    bytes.splice(range.end..range.end, part);
}

fn insert_word(random: &mut Random, bytes: &mut Vec<u8>, words: &[&str]) {
    let at = random.below(bytes.len() + 1);
    let word = random.pick(words).as_bytes().to_vec();
    bytes.splice(at..at, word);
}

/// Puts a word in the place of another.
fn replace_word(random: &mut Random, bytes: &mut Vec<u8>, words: &[&str]) {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let start = random.below(bytes.len() + 1);
    let Some(from) = bytes[start..].iter().position(is_word).map(|at| start + at) else { return };
    let length = bytes[from..].iter().take_while(|byte| is_word(byte)).count();
    let word = random.pick(words).as_bytes().to_vec();
    bytes.splice(from..from + length, word);
}

fn number(random: &mut Random, bytes: &mut Vec<u8>) {
    const NUMBERS: [&str; 10] = [
        "0",
        "-1",
        "1",
        "10001",
        "4294967296",
        "9223372036854775807",
        "18446744073709551616",
        "1e309",
        "0x7f",
        "-0.0",
    ];
    let start = random.below(bytes.len() + 1);
    let Some(from) = bytes[start..].iter().position(u8::is_ascii_digit).map(|at| start + at) else { return };
    let length = bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = random.pick(&NUMBERS).as_bytes().to_vec();
    bytes.splice(from..from + length, number);
}

fn splice(random: &mut Random, bytes: &mut Vec<u8>, other: &[u8]) {
    let part = other[range(random, other.len())].to_vec();
    let at = range(random, bytes.len());
    bytes.splice(at, part);
}

fn lines(random: &mut Random, bytes: &mut Vec<u8>, change: impl FnOnce(&mut Random, &mut Vec<Vec<u8>>)) {
    let mut lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    change(random, &mut lines);
    *bytes = lines.join(&b'\n');
}

fn indent(random: &mut Random, lines: &mut [Vec<u8>]) {
    let at = random.below(lines.len());
    if random.once_in(2) {
        lines[at].splice(0..0, *b"  ");
    } else if lines[at].starts_with(b"  ") {
        lines[at].drain(..2);
    }
}
