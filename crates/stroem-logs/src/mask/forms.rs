//! The spellings of a secret. Each of them ends in [`Forms::add`], which refuses what is too short to be hidden
//! without hiding other things.

use std::collections::BTreeSet;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use stroem_core::{Secret, limits};

use super::ENCODED_SECRET_BYTES;

/// What stays as it is in a percent-encoding, besides letters and digits: nothing; RFC 3986; JavaScript's
/// `encodeURIComponent`; Python's `quote`; JavaScript's `encodeURI`.
const PERCENT_KEPT: [&str; 5] = ["", "-_.~", "-_.!~*'()", "-_.~/", "-_.!~*'();/?:@&=+$,#"];
/// The same for `application/x-www-form-urlencoded`, where a space is `+`.
const FORM_KEPT: &str = "*-._";
/// Characters that shells and `printf %q` protect with a backslash; shells differ about the last two.
const BACKSLASHED: &str = " \t'\"\\|&;()<>!{}*[]?$`,^";
/// Line lengths of encoders that break lines: `base64` and MIME, then PEM and `openssl`.
const BASE64_WIDTHS: [usize; 2] = [76, 64];
/// Line length of `xxd -p`.
const HEX_WIDTH: usize = 60;

/// Every spelling of every secret, without duplicates. All of them are UTF-8.
pub(super) fn all_forms(secrets: &[Secret]) -> Vec<String> {
    let mut forms = Forms(BTreeSet::new());
    for secret in secrets {
        // White space around a value is lost too easily on the way to be part of what is searched.
        let text = secret.expose().trim();
        if !is_long_enough(text) {
            continue;
        }
        if text.len() <= ENCODED_SECRET_BYTES {
            forms.add_written(text);
            forms.add_hex(text.as_bytes());
            forms.add_base64(text.as_bytes());
        } else {
            forms.add(text.to_owned());
        }
        if text.contains(['\n', '\r']) {
            forms.add_lines(text);
        }
    }
    forms.0.into_iter().collect()
}

/// Whether hiding this text hides little else.
pub(super) fn is_long_enough(text: &str) -> bool {
    text.chars().nth(limits::SECRET_LENGTH_MIN - 1).is_some()
}

struct Forms(BTreeSet<String>);

impl Forms {
    fn add(&mut self, form: String) {
        if is_long_enough(&form) {
            self.0.insert(form);
        }
    }

    /// Each line on its own, as logs show multi-line values with something before each line. A line without a
    /// letter or a digit, such as a ruler, would hide too much.
    fn add_lines(&mut self, text: &str) {
        for line in text.split(['\n', '\r']).map(str::trim) {
            if is_long_enough(line) && line.contains(char::is_alphanumeric) {
                if text.len() <= ENCODED_SECRET_BYTES {
                    self.add_written(line);
                } else {
                    self.add(line.to_owned());
                }
            }
        }
    }

    /// The text itself and what programs make of it when they quote or escape it.
    fn add_written(&mut self, text: &str) {
        self.add(text.to_owned());
        let json = json_escaped(text);
        self.add(json_escaped(&json));
        self.add(json.replace('/', "\\/"));
        self.add(json);
        for ascii in [ascii_escaped(text, false), ascii_escaped(text, true)] {
            self.add(json_escaped(&ascii));
            self.add(ascii);
        }
        self.add(text.replace('\'', r"'\''"));
        self.add(backslashed(text, "\"\\$`"));
        self.add(backslashed(text, BACKSLASHED));
        self.add(backslashed(text, BACKSLASHED.trim_end_matches([',', '^'])));
        self.add(dollar_quoted(text));
        for upper in [true, false] {
            for kept in PERCENT_KEPT {
                self.add(percent_encoded(text, kept, upper));
            }
            self.add(percent_encoded(text, FORM_KEPT, upper).replace("%20", "+"));
        }
    }

    fn add_hex(&mut self, bytes: &[u8]) {
        let lower = hex::encode(bytes);
        self.add(lower.to_uppercase());
        self.add_broken(&lower, HEX_WIDTH, "\n");
        self.add(lower);
    }

    /// Base64 of the value alone, and what is always the same of it inside a longer value. There the value begins
    /// at one of three places in a group of three bytes; encoded behind zero, one or two other bytes, all but
    /// the characters that share bits with its neighbours are the same whatever these are.
    fn add_base64(&mut self, bytes: &[u8]) {
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let mut alone = engine.encode(bytes);
            self.add(alone.clone());
            alone.push_str(&"=="[..(4 - alone.len() % 4) % 4]);
            self.add(alone);
            for offset in 0..3 {
                let shifted = [&[0; 2][..offset], bytes].concat();
                let encoded = engine.encode(&shifted);
                let first = (offset * 8).div_ceil(6);
                let end = shifted.len() * 8 / 6;
                let stable = &encoded[first..end];
                self.add(stable.to_owned());
                if offset == 0 {
                    for width in BASE64_WIDTHS {
                        self.add_broken(stable, width, "\n");
                        self.add_broken(stable, width, "\r\n");
                    }
                }
            }
        }
    }

    /// The same with line ends at a fixed width, when it is long enough to have any.
    fn add_broken(&mut self, encoded: &str, width: usize, line_end: &str) {
        if encoded.len() > width {
            let mut broken = String::with_capacity(encoded.len() + encoded.len() / width * 2);
            for (index, character) in encoded.chars().enumerate() {
                if index > 0 && index % width == 0 {
                    broken.push_str(line_end);
                }
                broken.push(character);
            }
            self.add(broken);
        }
    }
}

/// As inside a JSON string.
fn json_escaped(text: &str) -> String {
    let quoted = serde_json::to_string(text).expect("a text has a JSON form");
    quoted[1..quoted.len() - 1].to_owned()
}

/// As inside a JSON string that is kept to ASCII.
fn ascii_escaped(text: &str, upper: bool) -> String {
    let mut out = String::new();
    for character in json_escaped(text).chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.push_str(&if upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") });
            }
        }
    }
    out
}

fn backslashed(text: &str, special: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        if special.contains(character) {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// As inside `$'...'`, which `bash -x` writes for values with control characters.
fn dollar_quoted(text: &str) -> String {
    text.replace('\\', r"\\")
        .replace('\'', r"\'")
        .replace('\n', r"\n")
        .replace('\r', r"\r")
        .replace('\t', r"\t")
}

fn percent_encoded(text: &str, kept: &str, upper: bool) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || (byte.is_ascii() && kept.contains(char::from(byte))) {
            out.push(char::from(byte));
        } else {
            out.push_str(&if upper { format!("%{byte:02X}") } else { format!("%{byte:02x}") });
        }
    }
    out
}
