//! Hides secrets in output, in every spelling that programs commonly give them: plain, JSON, shell, percent, hex
//! and base64. It must not know about lines, steps or streams.
//!
//! Everything a pattern covers is hidden, overlaps as one: of the secrets `hunter2` and `er2xyz` nothing is left
//! of `hunter2xyz`. Known limits: base64 that was broken into lines is recognised when the secret stood at its
//! beginning, not in its middle; two encodings on top of each other only for JSON in JSON. In a raw stream a secret
//! of digits that stands in JSON as a number leaves something that is not JSON any more.

mod forms;
mod patterns;
mod stream;

use std::{borrow::Cow, fmt, sync::Arc};

use serde_json::Value;
use stroem_core::{Secret, limits};

pub use self::stream::MaskStream;
use self::{forms::all_forms, patterns::Patterns};

/// What stands in the place of a secret.
pub const MASK: &str = "••••••";

/// A secret longer than this, in bytes, is masked as it is and line by line, without its encodings, so that the
/// table of patterns stays small.
pub const ENCODED_SECRET_BYTES: usize = 16 << 10;

/// A secret that cannot be masked without hiding half the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a secret needs at least {} characters, without the white space around it, to be hidden in logs",
    limits::SECRET_LENGTH_MIN
)]
pub struct SecretTooShort;

/// Says whether a secret is long enough to be masked; [`Masker::new`] passes over those that are not.
///
/// # Errors
/// [`SecretTooShort`].
pub fn check_secret(secret: &Secret) -> Result<(), SecretTooShort> {
    if forms::is_long_enough(secret.expose().trim()) { Ok(()) } else { Err(SecretTooShort) }
}

/// The secrets of one attempt, ready to be found. Shared by its streams.
pub struct Masker {
    patterns: Option<Patterns>,
}

impl Masker {
    /// Prepares every spelling of every secret. Secrets that are too short are passed over: refuse them before,
    /// with [`check_secret`].
    pub fn new(secrets: &[Secret]) -> Arc<Self> {
        let forms = all_forms(secrets);
        let patterns = (!forms.is_empty()).then(|| Patterns::new(&forms));
        Arc::new(Self { patterns })
    }

    /// Whether there is nothing to hide.
    pub const fn is_empty(&self) -> bool {
        self.patterns.is_none()
    }

    /// Whether the bytes have something to hide.
    pub fn finds(&self, bytes: &[u8]) -> bool {
        let mut found = false;
        if let Some(patterns) = &self.patterns {
            patterns.scan(patterns.start(), bytes, 0, &mut |_| found = true);
        }
        found
    }

    /// A complete text with its secrets hidden; borrowed when there are none.
    pub fn mask_text<'a>(self: &Arc<Self>, text: &'a str) -> Cow<'a, str> {
        if !self.finds(text.as_bytes()) {
            return Cow::Borrowed(text);
        }
        let mut masked = Vec::with_capacity(text.len());
        let mut stream = MaskStream::new(Arc::clone(self));
        stream.push(text.as_bytes(), &mut |piece| masked.extend_from_slice(piece));
        stream.finish(&mut |piece| masked.extend_from_slice(piece));
        Cow::Owned(String::from_utf8(masked).expect("patterns are UTF-8, so cutting them out leaves UTF-8"))
    }

    /// Hides secrets in all texts and keys of a value. A number that holds a secret becomes a masked text.
    pub fn mask_json(self: &Arc<Self>, value: &mut Value) {
        if self.is_empty() {
            return;
        }
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => {
                if self.finds(number.to_string().as_bytes()) {
                    *value = Value::String(MASK.to_owned());
                }
            }
            Value::String(text) => {
                if let Cow::Owned(masked) = self.mask_text(text) {
                    *text = masked;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask_json(item)),
            Value::Object(map) => {
                map.values_mut().for_each(|item| self.mask_json(item));
                if map.keys().any(|key| self.finds(key.as_bytes())) {
                    *map = std::mem::take(map)
                        .into_iter()
                        .map(|(key, item)| (self.mask_text(&key).into_owned(), item))
                        .collect();
                }
            }
        }
    }
}

impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Masker").field("is_empty", &self.is_empty()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
